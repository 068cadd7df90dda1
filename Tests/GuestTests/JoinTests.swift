import Foundation
import GuestHarness
import Kernel
import KernelProbes
import Rings
import Telemetry
import Testing

@testable import Attach

extension GuestTests {
    /// Requests of a guest found among those of the host's disk, held against what that counted.
    @Suite(.enabled(if: MountedDisk.whyNot == nil, "\(MountedDisk.whyNot ?? "")"))
    struct JoinTests {
        private static let blockSize = 524_288
        private static let fileSize = 64 << 20

        @Test func theRequestsOfTheDiskAreThoseOfTheGuest() throws {
            let disk = try MountedDisk(mebibytes: 256)
            defer { disk.remove() }
            let file = disk.folder + "/data.raw"
            try run("dd if=/dev/urandom of=\(file) bs=1M count=\(Self.fileSize >> 20) conv=fsync")
            var machine = GuestMachine()
            machine.arguments = [
                "-object", "iothread,id=io0", "-blockdev",
                "driver=raw,node-name=data-node,file.driver=file,file.filename=\(file),"
                    + "file.aio=native,cache.direct=on,file.cache.direct=on",
                "-device",
                "virtio-blk-pci,id=data,drive=data-node,serial=data,iothread=io0,addr=1d",
            ]
            try TestGuest.with(machine) { guest in
                try guest.waitUntilReady()
                try guest.run("wait_disk data")
                try follow(guest, disk)
            }
        }

        /// Follows a load of known sectors, one at a time.
        private func follow(_ guest: TestGuest, _ disk: MountedDisk) throws {
            var configuration = AttachConfiguration()
            configuration.targets = [.qmp(try QMPAddress(guest.monitorPath()))]
            configuration.keepsTracepoints = true
            (configuration.ringRate, configuration.ringBudget) = (10_000, 100)
            var source = try AttachSource(configuration, ownThreads: [])
            defer { _ = source.finish() }
            try waitUntilJoining(&source)
            let feed = try #require(source.ringRequests)
            feed.record(shift: 0)
            feed.drain { _ in }
            let before = try disk.reads()
            try guest.start(
                "load",
                FioLoad(
                    disks: ["data"], blockSize: "\(Self.blockSize)", depth: 1,
                    until: .seconds(6), options: ["--size=\(Self.fileSize)"]))
            var (events, samples): ([IOEvent], [Snapshot]) = ([], [])
            for _ in 0..<10 {
                samples.append(next(&source))
                feed.drain { events.append($0) }
            }
            let done = try #require(try guest.collect("load")["data"])
            let after = try disk.reads()
            #expect(after.count - before.count >= UInt64(done.reads))
            let time = (after.milliseconds - before.milliseconds) * 1000
            let wait = time / Double(after.count - before.count)
            expectTruth(events, wait: wait)
            expectAll(samples, events)
            expectStages(samples)
        }

        private func next(_ source: inout AttachSource) -> Snapshot {
            source.rest(until: Clock.monotonic() + 1_000_000_000, wake: -1)
            return source.sample()
        }

        private func waitUntilJoining(_ source: inout AttachSource) throws {
            var last: Snapshot?
            for _ in 0..<60 {
                let sample = next(&source)
                last = sample
                let words = sample.sources.first { $0.name == "bpf" }?.detail
                let rings = sample.sources.first { $0.name == "rings" }?.detail
                let isLocated = rings?.contains("looks/s") == true
                if isLocated, words?.contains("followed requests found") == true { return }
            }
            throw HarnessError(
                "nothing is joined: \(last?.sources ?? []) \(last?.unavailable ?? [])")
        }

        /// Nearly all that were followed are joined, and each as it must be.
        private func expectTruth(_ events: [IOEvent], wait: Double) {
            let own = events.filter { $0.type != 0 || $0.byteCount == UInt32(Self.blockSize) }
            let joined = own.filter { $0.submitted != 0 }
            #expect(own.count > 1000)
            #expect(joined.count * 10 >= own.count * 9, "\(joined.count) of \(own.count) joined")
            for event in joined {
                #expect(event.queued - UInt64(event.queuedError) <= event.submitted)
                #expect(event.submitted < event.completed)
                #expect(event.completed <= event.end + UInt64(event.endError))
                #expect(event.sector % UInt64(Self.blockSize / 512) == 0)
                #expect(event.sector < UInt64(Self.fileSize / 512))
            }
            let sum = joined.reduce(0) { $0 + Double($1.completed - $1.submitted) / 1000 }
            let mean = sum / Double(max(1, joined.count))
            print("\(own.count) followed, \(joined.count) joined")
            print("storage \(mean) us, await of the disk \(wait) us")
            #expect(abs(mean - wait) <= wait / 10)
        }

        /// None of those followed was lost while it waited to be joined.
        private func expectAll(_ samples: [Snapshot], _ events: [IOEvent]) {
            // "1000 looks/s, 90 of 100 requests followed"
            let counts = samples.compactMap { sample -> Int? in
                let words = sample.sources.first { $0.name == "rings" }?.detail ?? ""
                let parts = words.split(separator: " ")
                return parts.count > 2 ? Int(parts[2]) : nil
            }
            let told = samples.map { $0.sources.first { $0.name == "rings" }?.detail ?? "" }
            #expect(counts.count == samples.count)
            #expect(counts.reduce(0, +) == events.count, "\(told)")
        }

        /// Samples under load have the means, and say how they came about.
        private func expectStages(_ samples: [Snapshot]) {
            let told = samples.flatMap(\.luns).filter {
                $0.id == "data" && $0.rates.stageQuality[.storage] == .measured
            }
            #expect(told.count >= 3, "\(samples.last?.sources ?? [])")
            for lun in told {
                #expect(lun.rates.stages?.storage ?? 0 > 0)
                #expect(lun.rates.stageQuality[.submit] == .estimated)
                #expect(lun.rates.stageQuality[.complete] == .estimated)
            }
            let slow = samples.flatMap(\.slowest).filter { $0.request.submitted != 0 }
            #expect(!slow.isEmpty)
            if let lun = told.dropFirst().first { print("stages: \(lun.rates.stages as Any)") }
        }
    }
}

/// A disk nobody else uses, with a file system: a loop device over a file.
private final class MountedDisk {
    /// Where it is mounted.
    let folder: String
    private let image: String
    private let path: String

    /// Why this machine has none, or why BPF does not look at it.
    static let whyNot: String? = {
        do throws(KernelProbeError) {
            _ = try BlockStages(devices: [DeviceNumber(major: 7, minor: 0)])
        } catch { return error.description }
        guard let disk = try? MountedDisk(mebibytes: 16) else {
            return "no loop device can be made and mounted here"
        }
        disk.remove()
        return nil
    }()

    init(mebibytes: Int) throws {
        let name = "/var/tmp/vblktop-disk-\(UUID().uuidString.prefix(13))"
        (folder, image) = (name, name + ".img")
        path = try run(
            "fallocate -l \(mebibytes)M \(image) && losetup -f --show --direct-io=on \(image)")
        do {
            try run("mkfs.ext4 -q -F \(path) && mkdir \(folder) && mount \(path) \(folder)")
        } catch {
            remove()
            throw error
        }
    }

    func remove() {
        _ = try? run("umount \(folder); rmdir \(folder); losetup -d \(path); rm -f \(image)")
    }

    /// Reads that the kernel counted, and their time.
    func reads() throws -> (count: UInt64, milliseconds: Double) {
        let name = path.dropFirst("/dev/".count)
        let words = try String(contentsOfFile: "/sys/block/\(name)/stat", encoding: .utf8)
            .split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
        return (words[0], Double(words[3]))
    }
}

/// What `command` prints.
@discardableResult
private func run(_ command: String) throws -> String {
    let ending = try RunningProgram(["sh", "-c", command]).ending()
    guard ending.status == 0 else { throw HarnessError("\(command): \(ending.errors)") }
    return ending.lines.first ?? ""
}
