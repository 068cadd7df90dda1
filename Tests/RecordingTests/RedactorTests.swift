import Recording
import Telemetry
import Testing

@Suite struct RedactorTests {
    private static func sample() -> Snapshot {
        var sample = Snapshot(
            source: Source(kind: .qmp, name: "payroll"), sequence: 1, monotonic: 1, wallClock: 2)
        sample.vms = [
            VirtualMachine(
                name: "payroll", pid: 7, version: "7.2.0", accelerator: .kvm, status: "running",
                vcpus: 2, memoryBytes: nil, qmp: "/run/acme/payroll.sock")
        ]
        var lun = LUN(id: "salaries", device: "virtio-blk-pci")
        lun.vm = "payroll"
        lun.node = "salaries-fmt"
        lun.file = "/images/acme/salaries.qcow2"
        lun.ioThread = "acme0,acme1"
        lun.hostDisk = "nvme0n1"
        lun.throttle = "iops-total=100 group=acme"
        lun.graph = [BlockNode(name: "salaries-fmt", driver: "qcow2", file: "/images/acme/x")]
        lun.rates.iops = 12
        sample.luns = [lun]
        sample.threads = [
            ThreadActivity(tid: 9, role: .iothread, name: "IO acme0", luns: ["salaries"])
        ]
        var disk = HostDisk(name: "nvme0n1")
        disk.luns = ["payroll/salaries"]
        sample.host.disks = [disk]
        sample.notices = [
            Notice(
                monotonic: 1, vm: "payroll", severity: .info,
                text: "salaries: moved to /mnt/acme/b.img (salaries-fmt), 3 reads/s")
        ]
        sample.unavailable = [
            Unavailable(metric: "iops", reason: "cannot open /run/acme/payroll.sock: no")
        ]
        return sample
    }

    @Test func noNameAndNoPathIsLeft() {
        var redactor = Redactor()
        let text = "\(redactor.redact(Self.sample()))"
        for secret in ["payroll", "salaries", "acme", "images", "nvme0n1", "/run", "/mnt"] {
            #expect(!text.contains(secret), "\(secret) is still there")
        }
    }

    @Test func whatItIsAndWhatItMeasuredIsLeft() {
        var redactor = Redactor()
        let sample = redactor.redact(Self.sample())
        #expect(sample.luns[0].rates.iops == 12)
        #expect(sample.luns[0].graph[0].driver == "qcow2")
        #expect(sample.luns[0].throttle == "iops-total=100 group=group-1")
        #expect(sample.threads[0].name == "IO iothread-1")
        #expect(sample.notices[0].text == "lun-1: moved to /… (node-1), 3 reads/s")
    }

    @Test func aNameHasOneWordEverywhereAndAlways() {
        var redactor = Redactor()
        let first = redactor.redact(Self.sample())
        let second = redactor.redact(Self.sample())
        #expect(first == second)
        #expect(first.host.disks[0].luns == ["\(first.luns[0].vm ?? "")/\(first.luns[0].id)"])
        #expect(first.threads[0].luns == [first.luns[0].id])
        let name = redactor.redact(lun: "payroll/salaries")
        #expect(name == "vm-1/lun-1")
        let mark = redactor.redact(
            Mark(monotonic: 1, kind: .note, scope: "lun:salaries", text: "see /mnt/x/y"))
        #expect(mark.scope == "lun:lun-1")
        #expect(mark.text == "see /…")
    }
}
