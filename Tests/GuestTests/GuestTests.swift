import GuestHarness
import Testing

/// The harness tested on itself: what its guest does, its guest's kernel and QEMU count alike.
/// Whoever tests vblktop against these guests may take those counters for the truth.
@Suite(
    .serialized,
    .enabled(
        if: GuestImage.whyUnavailable == nil, "\(GuestImage.whyUnavailable ?? "")"))
struct GuestTests {
    @Test func aRateLimitedLoadIsCountedAlikeByFioByTheGuestAndByQEMU() throws {
        try TestGuest.with(GuestMachine(disks: 8, iothreads: .shared)) { guest in
            #expect(try guest.waitUntilReady().disks == 8)
            let disks = guest.machine.disks.map(\.id)
            let guestBefore = try guest.diskStatistics()
            let before = try guest.qmp.blockStatistics()
            let load = FioLoad(
                disks: disks, pattern: "randrw", depth: 4, rate: 150, until: .seconds(3))
            let done = try guest.fio(load)
            let guestAfter = try guest.diskStatistics()
            let after = try guest.qmp.blockStatistics()

            #expect(Set(done.keys) == Set(disks))
            for disk in disks {
                let did = try #require(done[disk])
                #expect(did.reads > 0 && did.writes > 0)
                let guest = try difference(guestAfter[disk], guestBefore[disk])
                #expect(
                    Counts(reads: did.reads, writes: did.writes, readBytes: did.readBytes) == guest)
                #expect(try difference(after[disk], before[disk]) == guest)
            }
        }
    }

    @Test func everyBusAndBackendIsCountedAlikeAfterAResetToo() throws {
        var machine = GuestMachine()
        machine.iothreads = ["io0", "io1"]
        machine.disks = [
            GuestDisk("raw", backend: .raw(aio: "threads"), style: .drive),
            GuestDisk("native", backend: .raw(aio: "native"), iothread: "io0"),
            GuestDisk("qcow2", backend: .qcow2, iothread: "io1"),
            GuestDisk("slow", backend: .slow(nanoseconds: 1_000_000)),
            GuestDisk("scsi", bus: .scsi), GuestDisk("ide", bus: .ide),
        ]
        try TestGuest.with(machine) { guest in
            #expect(try guest.waitUntilReady().disks == 6)
            try guest.qmp.execute("stop")
            #expect(try guest.qmp.execute("query-status")["status"]?.text == "paused")
            try guest.qmp.execute("cont")
            try guest.qmp.execute("system_reset")
            #expect(try guest.waitUntilReady().disks == 6)

            let guestBefore = try guest.diskStatistics()
            let before = try guest.qmp.blockStatistics()
            let disks = machine.disks.map(\.id)
            try guest.start("load", FioLoad(disks: disks, pattern: "randrw", until: .requests(200)))
            let done = try guest.collect("load")
            let guestAfter = try guest.diskStatistics()
            let after = try guest.qmp.blockStatistics()
            for disk in disks {
                let did = try #require(done[disk])
                #expect(did.reads + did.writes == 200)
                let guest = try difference(guestAfter[disk], guestBefore[disk])
                #expect(
                    Counts(reads: did.reads, writes: did.writes, readBytes: did.readBytes) == guest,
                    "\(disk)")
                #expect(try difference(after[disk], before[disk]) == guest, "\(disk)")
            }
        }
    }

    @Test func everyWordReachesTheGuestWhileProgramsEndInIt() throws {
        try TestGuest.with(GuestMachine(), patience: .seconds(20)) { guest in
            try guest.waitUntilReady()
            try guest.run("start orphans 'while true; do (sleep 0.01 &); sleep 0.01; done'")
            let word = String(repeating: "x", count: 100)
            for _ in 0..<200 { #expect(try guest.run("echo \(word)") == word) }
        }
    }

    @Test func aMachineThatQEMURefusesIsAnErrorAtOnce() {
        var machine = GuestMachine()
        machine.disks = [GuestDisk("same"), GuestDisk("same")]
        let error = #expect(throws: HarnessError.self) { try TestGuest.with(machine) { _ in } }
        #expect(error?.description.contains("Duplicate") == true, "\(error?.description ?? "")")
    }

    @Test func disksComeAndGo() throws {
        try TestGuest.with(GuestMachine(disks: 1)) { guest in
            try guest.waitUntilReady()
            try guest.plug(GuestDisk("late"))
            let done = try guest.fio(FioLoad(disks: ["late"], until: .requests(100)))
            #expect(done["late"]?.reads == 100)
            #expect(try guest.qmp.blockStatistics()["late"]?.reads ?? 0 >= 100)
            try guest.unplug("late")
            #expect(try guest.diskNames().keys.sorted() == ["disk0"])
            #expect(try guest.qmp.blockStatistics().keys.sorted() == ["disk0"])
        }
    }
}

/// What all three count.
private struct Counts: Equatable {
    var reads: Int
    var writes: Int
    var readBytes: Int
}

private func difference(_ after: DiskStatistics?, _ before: DiskStatistics?) throws -> Counts {
    let (after, before) = (try #require(after), try #require(before))
    return Counts(
        reads: after.reads - before.reads, writes: after.writes - before.writes,
        readBytes: 512 * (after.sectorsRead - before.sectorsRead))
}

private func difference(_ after: BlockStatistics?, _ before: BlockStatistics?) throws -> Counts {
    let (after, before) = (try #require(after), try #require(before))
    return Counts(
        reads: after.reads - before.reads, writes: after.writes - before.writes,
        readBytes: after.readBytes - before.readBytes)
}
