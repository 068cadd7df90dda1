import ProcFS
import Telemetry
import Testing

@testable import Probes

/// Of a QEMU 7.2 on Debian 12, shortened: the program, heap, guest memory, a library, stacks.
private let maps = """
    55d0a6c00000-55d0a6f5c000 r--p 00000000 fe:00 1313  /usr/bin/qemu-system-x86_64
    55d0a6f5c000-55d0a7598000 r-xp 0035c000 fe:00 1313  /usr/bin/qemu-system-x86_64
    55d0a7598000-55d0a7b1c000 r--p 00998000 fe:00 1313  /usr/bin/qemu-system-x86_64
    55d0a7b1c000-55d0a7cd1000 r--p 00f1b000 fe:00 1313  /usr/bin/qemu-system-x86_64
    55d0a7cd1000-55d0a7d8d000 rw-p 010d0000 fe:00 1313  /usr/bin/qemu-system-x86_64
    55d0a7d8d000-55d0a7db2000 rw-p 00000000 00:00 0
    55d0a8f33000-55d0aa3e9000 rw-p 00000000 00:00 0     [heap]
    7f1c5c000000-7f1c9c000000 rw-p 00000000 00:00 0
    7f1ca4000000-7f1ca4021000 rw-p 00000000 00:00 0
    7f1cb1e00000-7f1cb1e26000 r--p 00000000 fe:00 2020  /usr/lib/libc.so.6
    7f1cb1e26000-7f1cb1f7b000 r-xp 00026000 fe:00 2020  /usr/lib/libc.so.6
    7f1cb1fd3000-7f1cb1fd5000 rw-p 001d3000 fe:00 2020  /usr/lib/libc.so.6
    7f1cb1fd5000-7f1cb1fe2000 rw-p 00000000 00:00 0

    """

private func map() throws -> MemoryMap {
    let text = Array(maps.split(separator: "\n").joined(separator: "\n").utf8 + [10])
    return try MemoryMap(text.span)
}

private func waits(
    _ count: UInt64, _ roles: Set<ThreadActivity.Role>, percent: Double = 1
) -> LockTable.Waits {
    var waits = LockTable.Waits()
    waits.totals.begun = count
    waits.totals.longest = 5000
    waits.totals.ended = [LatencyBuckets.index(of: 4000): count]
    waits.rate = Double(count)
    waits.percent = percent
    waits.roles = roles
    waits.waiters = roles.map(\.rawValue).sorted()
    return waits
}

@Suite struct LockTableTests {
    /// .bss, behind the file's writable pages; its lock has offset 0x118db40.
    private let bigLock: UInt64 = 0x55d0_a6c0_0000 + 0x118_db40

    @Test func theBigLockIsOfTheMainLoopAndTheVCPUs() throws {
        var table = LockTable()
        let other: UInt64 = 0x55d0_a7d8_0000
        let found: [UInt64: LockTable.Waits] = [
            bigLock: waits(100, [.main, .vcpu], percent: 20),
            other: waits(50, [.main, .vcpu]),
            0x55d0_a7d9_0000: waits(900, [.vcpu, .iothread], percent: 30),
            0x55d0_a9000_000: waits(400, [.main, .vcpu], percent: 2),
            0x7f1c_b1fd_4000: waits(1, [.worker]),
            0x7777_0000_0000: waits(1, [.worker], percent: 0.5),
        ]
        #expect(table.needsMap(for: found))
        table.learn(try map())
        let locks = table.activities(found, vm: "a")
        #expect(
            locks.map(\.name) == [
                "futex in qemu-system-x86_64+0x1190000", "BQL", "heap futex 0x55d0a9000000",
                "futex in qemu-system-x86_64+0x1180000", "futex in libc.so.6+0x1d4000",
                "futex 0x777700000000",
            ])
        #expect(locks[1].waiters == ["main", "vcpu"] && locks[1].vm == "a")
        #expect(locks[1].waits == 100 && locks[1].waitPercent == 20 && locks[1].longest == 5)
        let p99 = try #require(locks[1].p99)
        #expect(abs(p99 - 4) < 0.15)
    }

    /// Main loop and vCPUs need not wait in the same second.
    @Test func rolesAreRemembered() throws {
        var table = LockTable()
        table.learn(try map())
        #expect(table.activities([bigLock: waits(9, [.vcpu])], vm: nil)[0].name != "BQL")
        #expect(table.activities([bigLock: waits(9, [.main])], vm: nil)[0].name == "BQL")
        #expect(table.activities([bigLock: waits(9, [.worker])], vm: nil)[0].name == "BQL")
    }

    @Test func theRestIsSummed() throws {
        var table = LockTable()
        table.learn(try map())
        var found: [UInt64: LockTable.Waits] = [bigLock: waits(1, [.main, .vcpu], percent: 0)]
        for index in 0..<20 {
            found[0x7f1c_a400_0000 + UInt64(index) * 64] = waits(10, [.iothread], percent: 5)
        }
        let locks = table.activities(found, vm: nil)
        #expect(locks.count == LockTable.shownLimit + 1)
        #expect(locks.contains { $0.name == "BQL" })
        #expect(locks.last?.name == "other futexes" && locks.last?.waits == 130)
        #expect(locks.compactMap(\.waitPercent).reduce(0, +) == 100)
    }

    @Test func manyLocksTakeBoundedMemory() throws {
        var table = LockTable()
        table.learn(try map())
        for round in 0..<40 {
            var found: [UInt64: LockTable.Waits] = [bigLock: waits(9, [.main, .vcpu])]
            for index in 0..<200 {
                found[0x7f1c_5c00_0000 + UInt64(round * 200 + index) * 64] = waits(1, [.vcpu])
            }
            #expect(table.activities(found, vm: nil).contains { $0.name == "BQL" })
        }
    }

    @Test(arguments: ["55d0-", "x-y rw-p 0 0 0\n", "2-1 rw-p 0 00:00 0\n", "1-2 rw 0 00:00 0\n"])
    func hostileMaps(text: String) {
        let bytes = Array((text + (text.hasSuffix("\n") ? "" : "\n")).utf8)
        #expect(throws: ProcFSError.self) { _ = try MemoryMap(bytes.span) }
    }
}
