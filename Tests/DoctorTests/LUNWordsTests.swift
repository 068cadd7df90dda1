import Telemetry
import Testing

@testable import Doctor

/// Remedies are copied into shells and monitors: what a VM is called must not break them.
@Suite("Words of remedies")
struct LUNWordsTests {
    @Test(arguments: [
        ("guest1", "guest1"), ("/images/d0.img", "/images/d0.img"), ("my guest", "'my guest'"),
        ("a;reboot", "'a;reboot'"), ("it's", "'it'\\''s'"), ("", "''"),
    ])
    func aShellTakesThemAsOneWord(_ text: String, _ word: String) {
        #expect(shellWord(text) == word)
    }

    @Test func aMonitorTakesThemAsText() {
        #expect(jsonWord(#"a"b\c"#) == #""a\"b\\c""#)
        #expect(
            qmp("block-stream", ["job-id": "\"x\"", "device": jsonWord("d0")])
                == #"{"execute": "block-stream", "arguments": {"job-id": "x", "device": "d0"}}"#)
    }

    @Test(arguments: [
        ("virtio-disk0", "vda"), ("virtio-disk25", "vdz"), ("virtio-disk26", "TARGET"),
        ("virtio-diskx", "TARGET"), ("vd0", "TARGET"),
    ])
    func libvirtsAliasesNameTheirTarget(_ id: String, _ target: String) {
        #expect(LUN(id: id, device: "virtio-blk-pci").libvirtTarget == target)
    }

    @Test func aFixNamesTheLUN() throws {
        var sample = Snapshot.ward
        sample.luns[0].throttle = "iops-total=500"
        sample.luns[0].rates.iops = 500
        sample.luns[0].rates.reads = 500
        sample.luns[0].rates.queueDepth = QueueDepth(now: 64, mean: 64)
        sample.know(.vm, [.domain: "my guest"])
        #expect(
            try remedy(sample).live?.contains(
                #""id": "/machine/peripheral/vd0/virtio-backend", "iops": 0"#) == true)
        #expect(try remedy(sample).libvirt?.contains("blkdeviotune 'my guest' TARGET") == true)
        sample.luns[0].throttle = "iops-total=500 group=tg0"
        sample.luns[0].graph = [BlockNode(name: "t0", driver: "throttle")]
        #expect(
            try remedy(sample).live?.contains(
                #""path": "/objects/tg0", "property": "limits", "value": {"iops-total": 0}"#)
                == true)
    }

    private func remedy(_ sample: Snapshot) throws -> Remedy {
        var patient = Patient(Ward(sample), Subject(.lun("vd0")), index: 0)
        guard case .flagged(let flag) = try Rule.throttleSaturated.judge(&patient) else {
            Issue.record("not flagged")
            return Remedy()
        }
        return try #require(flag.remedy)
    }
}
