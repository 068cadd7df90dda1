import Foundation
import Testing

/// One vblktop watches the virtqueues of another's demo from outside, and both print what they know
/// of them.
@Suite("A demo is watched by its process id") struct WatchedDemoTests {
    private typealias Object = [String: Any]

    /// One virtqueue of a LUN in one sample.
    private struct Seen {
        var time: UInt64
        var avail: UInt16
        var used: UInt16
        var inFlight: Int
        var size: Int
    }

    private func samples(_ text: Substring) throws -> [Object] {
        try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Object)
        }
    }

    private func status(_ sample: Object) -> String? {
        (sample["vms"] as? [Object])?.first?["status"] as? String
    }

    /// The first virtqueue of `lun` in all samples that have it.
    private func queue(_ lun: String, _ samples: [Object]) throws -> [Seen] {
        try samples.compactMap { sample in
            let all = try #require(sample["luns"] as? [Object])
            guard let found = all.first(where: { $0["id"] as? String == lun }),
                let queue = (found["virtqueues"] as? [Object])?.first
            else { return nil }
            func number(_ key: String) throws -> UInt64 {
                try #require((queue[key] as? NSNumber)?.uint64Value)
            }
            return Seen(
                time: try #require((sample["monotonic_ns"] as? NSNumber)?.uint64Value),
                avail: UInt16(try number("avail_index")), used: UInt16(try number("used_index")),
                inFlight: Int(try number("in_flight")), size: Int(try number("size")))
        }
    }

    @Test("Completions agree with the demo's own, and its end is told")
    func agrees() throws {
        let run = try Program.shell(
            """
            $V --demo --luns 4 --json -n 20 -d 0.25 > $T.demo & demo=$!
            sleep 1
            $V --pid $demo --json -n 24 -d 0.25 > $T.watcher
            echo "status $?" >&2; wait $demo; cat $T.demo; echo ---; cat $T.watcher; rm $T.*
            """,
            environment: ["T": "/tmp/vblktop-test-\(UUID())"])
        #expect(run.errors == "status 0\n")
        let parts = run.output.split(separator: "---\n")
        try #require(parts.count == 2)
        let (demo, watcher) = (try samples(parts[0]), try samples(parts[1]))
        let running = watcher.filter { status($0) == "running" }
        #expect(running.count > 8)
        #expect(status(try #require(watcher.last)) == "gone")
        for lun in ["vd00", "vd01", "vd02", "vd03"] {
            compare(try queue(lun, running), with: try queue(lun, demo))
        }
    }

    /// Each index lies between the demo's own before and after, both modulo 65,536. A sample's time
    /// may be off by less than one of its intervals.
    private func compare(_ watched: [Seen], with own: [Seen]) {
        var compared = 0
        for seen in watched {
            #expect((0...seen.size).contains(seen.inFlight))
            #expect(Int(seen.avail &- seen.used) == seen.inFlight)
            let earlier = own.lastIndex { $0.time < seen.time }.map { $0 - 1 } ?? -1
            let later = (own.firstIndex { $0.time > seen.time } ?? own.count) + 1
            guard own.indices.contains(earlier), own.indices.contains(later) else { continue }
            #expect(seen.used &- own[earlier].used <= own[later].used &- own[earlier].used)
            #expect(seen.avail &- own[earlier].avail <= own[later].avail &- own[earlier].avail)
            compared += 1
        }
        #expect(compared > 5)
        if let first = watched.first, let last = watched.last {
            #expect(last.used &- first.used > 0)
        }
    }

    @Test("A process that is neither QEMU nor a demo is refused in one line")
    func refused() throws {
        let run = try Program.shell(
            "sleep 20 & other=$!; timeout 10 $V --pid $other --json; status=$?; kill $other; "
                + "exit $status")
        #expect(run.status == 1)
        #expect(run.output == "")
        let lines = run.errors.split(separator: "\n")
        #expect(lines.count == 1 && lines.first?.contains("is no QEMU, and no demo") == true)
    }
}
