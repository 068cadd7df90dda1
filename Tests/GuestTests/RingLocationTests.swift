import Foundation
import GuestHarness
import Kernel
import Rings
import Telemetry
import Testing
import Virtio

@testable import Attach

extension GuestTests {
    /// The virtqueues of a live VM, held against what QEMU says of them.
    @Suite struct RingLocationTests {
        private static let path = "/machine/peripheral/busy/virtio-backend"

        /// Its memory is a file that cannot shrink: both ways of reading it lead there.
        private static var machine: GuestMachine {
            var machine = GuestMachine()
            machine.processors = 2
            machine.disks = [
                GuestDisk("busy", properties: ["num-queues=2"]), GuestDisk("idle"),
                GuestDisk("scsi", bus: .scsi),
            ]
            machine.arguments = [
                "-object", "memory-backend-memfd,id=m0,size=\(machine.mebibytes)M,share=on",
                "-machine", "memory-backend=m0",
            ]
            return machine
        }

        @Test func theIndexThereIsTheOneThatQEMUCounts() throws {
            try TestGuest.with(Self.machine) { guest in
                try guest.waitUntilReady()
                var configuration = AttachConfiguration()
                configuration.targets = [.qmp(try QMPAddress(guest.monitorPath()))]
                var source = try AttachSource(
                    configuration, ownThreads: [])
                defer { _ = source.finish() }

                let first = try location(of: &source)
                #expect(Set(first.places.map(\.lun)) == ["busy", "idle"])
                #expect(first.ram.pid == Int(guest.processID))
                let busy = first.places.filter { $0.lun == "busy" }
                #expect(busy.map(\.queue) == [0, 1])
                #expect(busy.allSatisfy { $0.showsPops && $0.showsReaps && $0.layout == .split })
                try expectTruth(first, guest)
                #expect(
                    source.watches[0].ringProblems.map(\.reason).contains { $0.contains("scsi") })

                try guest.qmp.execute("system_reset")
                try guest.waitUntilReady()
                let second = try location(of: &source) { $0.generation > first.generation }
                try expectTruth(second, guest)
                // Nothing that was asked keeps QEMU from letting a disk go.
                try guest.unplug("idle")
            }
        }

        /// Samples until all is known and `isWanted`.
        private func location(
            of source: inout AttachSource, where isWanted: (RingLocation) -> Bool = { _ in true }
        ) throws -> RingLocation {
            let deadline = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < deadline {
                _ = source.sample()
                source.rest(until: Clock.monotonic() + 200_000_000, wake: -1)
                if let location = source.watches[0].ringLocation, isWanted(location),
                    Set(location.places.map(\.lun)).count == 2
                {
                    return location
                }
            }
            throw HarnessError("not found: \(source.watches[0].ringStatus())")
        }

        /// While requests come, the driver's index is never behind what QEMU took of it, and when
        /// they have stopped the two are the same.
        private func expectTruth(_ location: RingLocation, _ guest: TestGuest) throws {
            let places = location.places.filter { $0.lun == "busy" }
            let start = try places.map { try index(at: $0.avail.rawValue, location) }
            try guest.start(
                "load\(location.generation)", FioLoad(disks: ["busy"], until: .seconds(3)))
            try waitForMove(of: places, from: start, location)
            var moves = 0
            for _ in 0..<300 {
                for (number, place) in places.enumerated() {
                    let before = try index(at: place.avail.rawValue, location)
                    let taken = try queue(place.queue, "last-avail-idx", guest)
                    let after = try index(at: place.avail.rawValue, location)
                    // Of both, how far they are apart, modulo 65,536.
                    #expect(taken &- (before &- UInt16(place.size)) < 32_768)
                    #expect(after &- taken < 32_768)
                    if after != start[number] { moves += 1 }
                }
            }
            #expect(moves > 0)
            _ = try guest.collect("load\(location.generation)")
            for place in places {
                let index = try index(at: place.avail.rawValue, location)
                #expect(try queue(place.queue, "last-avail-idx", guest) == index)
                #expect(try queue(place.queue, "used-idx", guest) == index)
                #expect(try self.index(at: place.used.rawValue, location) == index)
                #expect(try sealedIndex(at: place.avail.rawValue, location) == index)
            }
        }

        /// Waits until the guest, which is slow, has begun to ask for something; QEMU is left alone
        /// meanwhile, as whoever asks it all the time keeps the guest from running.
        private func waitForMove(
            of places: [RingPlace], from start: [UInt16], _ location: RingLocation
        ) throws {
            let deadline = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < deadline {
                for (number, place) in places.enumerated()
                where try index(at: place.avail.rawValue, location) != start[number] { return }
                yieldProcessor()
            }
            throw HarnessError("the load did not begin")
        }

        private func queue(_ number: Int, _ name: String, _ guest: TestGuest) throws -> UInt16 {
            let status = try guest.qmp.execute(
                "x-query-virtio-queue-status",
                ["path": .text(Self.path), "queue": .integer(Int64(number))])
            return UInt16(truncatingIfNeeded: try #require(status[name]?.integer))
        }

        /// The index of a ring at guest address `ring` (virtio 1.2 §2.7.6, §2.7.8), in the memory
        /// of QEMU's process.
        private func index(at ring: UInt64, _ location: RingLocation) throws -> UInt16 {
            let host = try #require(location.ram.translate(ring + 2, byteCount: 2))
            return try word(of: "/proc/\(location.ram.pid)/mem", at: host)
        }

        /// Likewise, in the file that its memory is.
        private func sealedIndex(at ring: UInt64, _ location: RingLocation) throws -> UInt16 {
            let region = try #require(
                location.ram.regions.first { ring &- $0.guest.rawValue < $0.byteCount })
            let file = try #require(region.file)
            return try word(of: file.path, at: file.offset + (ring + 2 - region.guest.rawValue))
        }

        private func word(of path: String, at offset: UInt64) throws -> UInt16 {
            let file = try #require(FileHandle(forReadingAtPath: path))
            try file.seek(toOffset: offset)
            let bytes = try #require(try file.read(upToCount: 2))
            return UInt16(bytes[bytes.startIndex]) | UInt16(bytes[bytes.startIndex + 1]) << 8
        }
    }
}
