import Host
import Telemetry
import Testing

@testable import Attach

@Suite struct CadenceTests {
    private let second: Nanoseconds = 1_000_000_000

    private func due(_ cadence: inout Cadence, _ count: Int) -> [Bool] {
        (0..<count).map { _ in cadence.isDue() }
    }

    @Test func everySampleWhileAnswersAreQuick() {
        var cadence = Cadence(wanted: second)
        for _ in 0..<20 {
            #expect(due(&cadence, 1) == [true])
            cadence.answered(after: 2_000_000)
        }
        #expect(!cadence.isSlowed)
        #expect(cadence.seconds == 1)
    }

    @Test func aSlowAnswerHalvesTheRate() {
        var cadence = Cadence(wanted: second)
        #expect(due(&cadence, 1) == [true])
        cadence.answered(after: 51_000_000)
        #expect(cadence.isSlowed)
        #expect(cadence.seconds == 2)
        #expect(due(&cadence, 4) == [false, true, false, true])
    }

    @Test func neverLessThanASixteenth() {
        var cadence = Cadence(wanted: second)
        for _ in 0..<40 { cadence.missed() }
        #expect(cadence.divisor == Cadence.slowest)
    }

    @Test func fiveCalmAnswersDoubleItAgain() {
        var cadence = Cadence(wanted: second)
        cadence.missed()
        cadence.missed()
        for _ in 0..<4 { cadence.answered(after: 1_000_000) }
        #expect(cadence.divisor == 4)
        cadence.answered(after: 1_000_000)
        #expect(cadence.divisor == 2)
        // Neither slow nor calm: the count begins anew.
        for _ in 0..<4 { cadence.answered(after: 1_000_000) }
        cadence.answered(after: 30_000_000)
        for _ in 0..<4 { cadence.answered(after: 1_000_000) }
        #expect(cadence.divisor == 2)
        cadence.answered(after: 1_000_000)
        #expect(!cadence.isSlowed)
    }

    @Test(arguments: [
        (100_000_000 as Nanoseconds, 5_000_000 as Nanoseconds),
        (500_000_000, 25_000_000), (1_000_000_000, 50_000_000), (60_000_000_000, 50_000_000),
    ])
    func theLimitFollowsTheInterval(wanted: Nanoseconds, limit: Nanoseconds) {
        #expect(Cadence(wanted: wanted).limit == limit)
    }
}

@Suite struct ThreadRolesTests {
    private let luns: [LUN] = ["vd0", "vd1", "vd2"].enumerated().map { number, id in
        var lun = LUN(id: id, device: "virtio-blk-pci")
        lun.ioThread = [nil, "io0", "io0,io1"][number]
        lun.isOnMainLoop = number == 0
        return lun
    }

    private let roles = ThreadRoles(vcpus: [11: 0, 12: 1], ioThreads: [13: "io0", 14: "io1"])

    @Test func whatQMPSaysGoesBeforeTheName() {
        let name = "qemu-system-x86"
        let cpu = roles.watched(tid: 12, calledBy: name, pid: 10, luns: luns)
        #expect(cpu.role == .vcpu)
        #expect(cpu.name == "CPU 1")
        #expect(
            roles.watched(tid: 11, calledBy: "CPU 0/KVM", pid: 10, luns: luns).name == "CPU 0/KVM")
        let io = roles.watched(tid: 13, calledBy: name, pid: 10, luns: luns)
        #expect(io.role == .iothread)
        #expect(io.name == "IO io0")
        #expect(io.luns == ["vd1", "vd2"])
        #expect(roles.watched(tid: 14, calledBy: name, pid: 10, luns: luns).luns == ["vd2"])
    }

    /// The main loop serves the disks without an IOThread.
    @Test func theMainLoop() {
        let main = roles.watched(tid: 10, calledBy: "qemu-system-x86", pid: 10, luns: luns)
        #expect(main.role == .main)
        #expect(main.luns == ["vd0"])
    }

    @Test(arguments: [
        ("CPU 3/TCG", ThreadActivity.Role.vcpu), ("IO io1", .iothread), ("IO mon_iothread", .other),
        ("worker", .worker), ("iou-wrk-123", .worker), ("vhost-10", .worker), ("call_rcu", .other),
    ])
    func namesAloneWithoutQMP(name: String, role: ThreadActivity.Role) {
        let thread = ThreadRoles().watched(tid: 99, calledBy: name, pid: 10, luns: luns)
        #expect(thread.role == role)
        #expect(thread.luns == (name == "IO io1" ? ["vd2"] : []))
    }
}
