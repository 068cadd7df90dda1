import ProcFS
import QMP
import Rings
import Telemetry
import Testing

@testable import Attach

/// A recorded QEMU whose virtqueues are looked for, and what it says otherwise by now.
struct LocatedVM {
    static let second: Nanoseconds = 1_000_000_000
    var vm: RecordedVM
    var locator = RingLocator()
    /// Answers other than the recorded ones.
    var answers: [QMPQuery: String] = [:]
    /// Refused, with these words.
    var refusals: [QMPQuery: (kind: String, words: String)] = [:]
    var maps: String
    /// A sealed file for each inode.
    var sealed: [UInt64: String] = [:]
    private(set) var asked: [QMPQuery] = []
    var identities: [RingDevice.Identity]
    var pid: Int? = 7

    /// `disks` of a transcript, those with `vhost-` before their names served elsewhere.
    init(_ name: String, _ disks: [String], maps: String) throws {
        vm = try RecordedVM(name)
        self.maps = maps
        identities = disks.enumerated().map { index, disk in
            let isVhost = disk.hasPrefix("vhost-")
            let id = isVhost ? String(disk.dropFirst(6)) : disk
            return RingDevice.Identity(
                path: Self.path(id), lun: id, isVhost: isVhost, rate: Double(-index))
        }
    }

    static func path(_ id: String) -> String { "/machine/peripheral/\(id)/virtio-backend" }

    /// The recorded VM on a pc whose memory is anonymous.
    static func plain(_ disks: String...) throws -> LocatedVM {
        try LocatedVM(
            "qemu-7.2.22-rings", disks,
            maps: """
                5587b0bb0000-5587b0f59000 rw-p 00de3000 fe:00 16236566   /usr/bin/qemu
                7fb83307d000-7fb833e00000 rw-p 00000000 00:00 0
                7fb833e00000-7fb853e00000 rw-p 00000000 00:00 0

                """)
    }

    /// The recorded VM whose memory is a memfd in two pieces.
    static func shared(_ disks: String...) throws -> LocatedVM {
        try LocatedVM(
            "qemu-7.2.22-rings-vhost", disks,
            maps: """
                7ff45f27c000-7ff45ffff000 rw-p 00000000 00:00 0
                7ff45ffff000-7ff5dffff000 rw-s 00000000 00:01 1938  /memfd:memory (deleted)

                """)
    }

    /// Asks and answers at `now` until nothing more is wanted.
    mutating func settle(at now: Nanoseconds = second) throws {
        locator.update(identities, pid: pid)
        for _ in 0..<1000 {
            let queries = locator.next(3, at: now)
            for query in queries { locator.asked(query) }
            for query in queries { try answer(query, at: now) }
            if locator.memory.wantsCheck { try check() }
            if queries.isEmpty { return }
        }
        Issue.record("it asks for ever: \(asked.suffix(4))")
    }

    /// Tells what QEMU says to `query`, whoever asked.
    mutating func answer(_ query: QMPQuery, at now: Nanoseconds) throws {
        asked.append(query)
        if let refusal = refusals[query] {
            locator.takeRefusal(of: query, kind: refusal.kind, saying: refusal.words, at: now)
            return
        }
        let outcome = try #require(try vm.outcome(of: query, answer: answers[query]))
        guard case .reply(_, let reply) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        locator.take(reply, to: query, blocks: [], at: now)
    }

    private mutating func check() throws {
        let map = try MemoryMap(Array(maps.utf8).span)
        locator.take(map) { mapping, _ in sealed[mapping.inode] }
    }

    /// What was asked since this was called last.
    mutating func takeAsked() -> [QMPQuery] {
        defer { asked = [] }
        return asked
    }

    /// QEMU says from now on that queue `number` of `disk` is elsewhere, or nowhere.
    mutating func move(
        _ disk: String, queue number: UInt16 = 0, to address: UInt64, size: Int = 256
    ) {
        let (avail, used) = address == 0 ? (0, 0) : (address + 0x2000, address + 0x4000)
        answers[.virtioQueueStatus(path: Self.path(disk), queue: number)] =
            #"{"vring-num":\#(size),"vring-desc":\#(address),"vring-avail":\#(avail),"#
            + #""vring-used":\#(used)}"#
    }

    /// The driver of `disk` is another one from now on; `statuses` are its bits.
    mutating func drive(
        _ disk: String, features: [String] = ["VIRTIO_F_VERSION_1"],
        statuses: [String] = ["VIRTIO_CONFIG_S_DRIVER_OK"], queues: Int = 2
    ) {
        func list(_ words: [String]) -> String {
            "[" + words.map { "\"\($0): it is\"" }.joined(separator: ",") + "]"
        }
        answers[.virtioStatus(path: Self.path(disk))] =
            #"{"device-id":2,"num-vqs":\#(queues),"status":{"statuses":\#(list(statuses))},"#
            + #""guest-features":{"transports":\#(list(features)),"dev-features":[]}}"#
    }

    /// Where a queue is said to be.
    func place(_ disk: String, queue: Int = 0) -> RingPlace? {
        locator.location?.places.first { $0.lun == disk && $0.queue == queue }
    }

    var generation: Int? { locator.location?.generation }
}
