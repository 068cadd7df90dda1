import Host
import Kernel
import Telemetry
import Testing

@Suite struct HostFactsTimingTests {
    @Test func nothingNewIsNoNews() {
        let server = FactHost()
        #expect(server.update(at: 1))
        // The rates come with the second reading.
        #expect(server.update(at: 11))
        #expect(!server.update(at: 12))
        #expect(!server.update(at: 21))
        #expect(!server.update(at: 61))
    }

    @Test func settingsAreReadEveryMinuteAndWhatMovesEveryTenSeconds() {
        let server = FactHost()
        let (setting, level) = ("/proc/sys/vm/dirty_ratio", "/proc/meminfo")
        let counts = { (server: FactHost) in
            [setting, level].map { server.host.proc.openCount($0) }
        }
        server.update(at: 1)
        #expect(counts(server) == [1, 1])
        for second in 2..<11 { server.update(at: Double(second)) }
        #expect(counts(server) == [1, 1])
        server.update(at: 11)
        #expect(counts(server) == [1, 2])
        server.update(at: 60.9)
        #expect(counts(server) == [1, 3])
        server[setting] = "5\n"
        #expect(server.update(at: 61))
        #expect(server.value(.dirtyRatio) == 5)
        #expect(counts(server) == [2, 3])
    }

    @Test func otherDisksAreReadAtOnce() {
        let server = FactHost()
        server.addDisk("sda", at: "pci0000:00/0000:00:17.0/block")
        server.update(at: 1)
        #expect(server.value(.noMerges, .disk("sda")) == nil)
        #expect(server.update(["sda"], at: 2))
        #expect(server.value(.noMerges, .disk("sda")) == 2)
        #expect(server.update([], at: 3))
        #expect(server.value(.noMerges, .disk("sda")) == nil)
    }

    // MARK: Noise

    @Test func noiseIsNoNews() {
        let server = FactHost()
        server.update(at: 1)
        server.update(at: 11)
        server.setMemory(available: 40 << 20 - 400_000, dirty: 9000)
        server["/proc/pressure/io"] = "some avg10=2.50 avg60=0.00 avg300=0.00 total=0\n"
        #expect(!server.update(at: 21))
        #expect(server.value(.memoryAvailable) == .count(40 << 30))
        server.setMemory(available: 39 << 20, dirty: 9000)
        #expect(server.update(at: 31))
        #expect(server.value(.memoryAvailable) == .count(39 << 30))
        // Not told anew, as it moved by less than 16 MiB.
        #expect(server.value(.dirtyMemory) == 1_024_000)
    }

    /// Small steps add up: noise is measured against what was told, not against the last reading.
    @Test func aSlowDriftIsNews() {
        let server = FactHost()
        server.update(at: 1)
        for step in 1...10 {
            server["/proc/pressure/io"] = "some avg10=\(1.5 + Double(step) * 0.5) avg60=0 \n"
            server.update(at: 1 + Double(step) * 10)
        }
        #expect(server.value(.ioPressure) == 6)
    }

    @Test func anyStepOfACountIsNews() {
        let server = FactHost()
        server.update(at: 1)
        server.update(at: 11)
        server["/proc/sys/fs/aio-nr"] = "2049\n"
        #expect(server.update(at: 21))
        #expect(server.value(.aioReserved) == 2049)
    }

    // MARK: VMs by turns

    @Test func memoryOfAllVMs() {
        let promise: MemoryPromise = { $0[0].hasSuffix("qemu") ? UInt64($0[1]) : nil }
        let server = FactHost(memoryPromise: promise)
        let pids = (1...600).map(String.init)
        server.host.setDirectory("/proc", ["self", "uptime"] + pids)
        for pid in [7, 300, 599] {
            server["/proc/\(pid)/cmdline"] = "/usr/bin/qemu\0" + "4000000000\0"
            server["/proc/\(pid)/statm"] = "900000 1000 5 5 0 5 0\n"
        }
        // Kernel threads have no arguments.
        server["/proc/8/cmdline"] = ""
        server["/proc/9/cmdline"] = "/bin/sh\0"
        server.update(at: 1)
        #expect(server.reason(.memoryPromised) == "not all processes have been looked at yet")
        #expect(!server.update(at: 2))
        #expect(server.update(at: 3))
        #expect(server.value(.memoryPromised) == 12_000_000_000)
        #expect(server.value(.memoryOfVMs) == .count(3000 * ReadableFile.pageByteCount))
        #expect(server.host.listCount("/proc") == 1)
        // One ends: the next minute's round finds two.
        server["/proc/300/cmdline"] = nil
        for second in [61, 62, 63] { server.update(at: Double(second)) }
        #expect(server.value(.memoryPromised) == 8_000_000_000)
    }

    @Test func whoDoesNotKnowVMsSaysNothingOfThem() {
        let server = FactHost()
        server.update(at: 1)
        #expect(server.sheet[.memoryPromised, Subject(.host)] == nil)
    }
}
