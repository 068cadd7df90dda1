import QMP
import Rings
import Telemetry
import Virtio

/// What is known of the virtqueues of one disk.
struct RingDevice: Sendable {
    /// A disk whose virtqueues are looked for.
    struct Identity: Sendable, Equatable {
        /// Of the virtio device in QEMU's object model.
        var path: String
        /// `LUN.id`
        var lun: String
        /// Whether another process serves it. QEMU is asked otherwise then: see
        /// `QMPQuery.virtioQueueStatus`.
        var isVhost: Bool
        /// What is asked about first, requests per second.
        var rate: Double
    }

    /// Where a virtqueue is; all addresses are 0 while no driver uses it.
    struct Ring: Sendable, Equatable {
        var size: Int
        var descriptors, avail, used: UInt64

        var isUsed: Bool { descriptors != 0 && avail != 0 && used != 0 }
    }

    /// Virtqueues looked at; QEMU gives a device no more.
    private static let queueLimit = 1024
    /// How long it takes at first to ask again where no driver was, and at most, nanoseconds.
    private static let firstPause: Nanoseconds = 1_000_000_000
    private static let longestPause: Nanoseconds = 8_000_000_000

    var identity: Identity
    private var status: QMPVirtioStatus?
    private var rings: [Int: Ring] = [:]
    /// Nothing is asked before, `CLOCK_MONOTONIC` nanoseconds.
    private var askAt: Nanoseconds = 0
    private var pause = firstPause
    /// Why there are no places, as far as it is known.
    private(set) var problem: Problem? = .notAsked
    private var turn = 0
    /// When its virtqueues were looked at last, before they are held against QEMU's count.
    private var lookedAt: Nanoseconds?
    /// The look since which nothing has ended in them, and requests that QEMU had counted then or
    /// later.
    private var restingSince: Nanoseconds?
    private var countAtRest: UInt64?
    /// QEMU's count when its virtqueues were looked at last, these or former ones.
    private var lastCount: UInt64?

    /// Why a disk's virtqueues are not known.
    enum Problem: Sendable, Hashable {
        case notAsked
        /// The guest's driver is not up.
        case noDriver
        /// Its addresses are not those of memory.
        case behindIOMMU
        case refused(String)
    }

    init(_ identity: Identity) { self.identity = identity }

    /// Whether nothing more is to be asked to know its places.
    var isComplete: Bool {
        status != nil && problem == nil && (0..<queueCount).allSatisfy { rings[$0] != nil }
    }

    private var queueCount: Int { min(Self.queueLimit, max(0, status?.queueCount ?? 0)) }

    /// What is still to be asked at `now`, but for what `pending` holds.
    func questions(pending: Set<QMPQuery>, at now: Nanoseconds) -> [QMPQuery] {
        guard now >= askAt, !isComplete else { return [] }
        guard status != nil, problem == nil else {
            let query = QMPQuery.virtioStatus(path: identity.path)
            return pending.contains(query) ? [] : [query]
        }
        return (0..<queueCount).lazy.filter { rings[$0] == nil }.map(queueQuestion)
            .filter { !pending.contains($0) }
    }

    /// What shows next whether it is as it was: its features and its queues by turns.
    mutating func checkQuestion() -> QMPQuery {
        turn &+= 1
        guard turn % 2 == 0, queueCount > 0 else { return .virtioStatus(path: identity.path) }
        return queueQuestion(turn / 2 % queueCount)
    }

    private func queueQuestion(_ number: Int) -> QMPQuery {
        let queue = UInt16(clamping: number)
        return identity.isVhost
            ? .vhostQueueStatus(path: identity.path, queue: queue)
            : .virtioQueueStatus(path: identity.path, queue: queue)
    }

    /// What was known is worth nothing any more; it is asked for from `time` on.
    mutating func forget(until time: Nanoseconds = 0) {
        status = nil
        rings = [:]
        problem = .notAsked
        askAt = time
        pause = Self.firstPause
        (lookedAt, restingSince, countAtRest) = (nil, nil, nil)
    }

    /// Requests that QEMU counts of virtqueues that stand still, before they are not believed.
    private static let mostUnseen: UInt64 = 16

    /// What virtqueues are worth that are held against QEMU's count.
    enum Verdict: Sendable {
        case serving
        /// QEMU counted requests of late and they saw none: not to be shown.
        case doubtful
        /// They have stood still for longer than that: they are others' or nobody's.
        case abandoned
    }

    /// Whether its virtqueues can be those that do the disk's requests: `ended` of them since this
    /// was asked last, the last `looks` at them considered; QEMU had counted `count` at `time`. A
    /// driver that was reloaded has others, and says so to nobody.
    mutating func judge(
        ended: UInt64, looks: ClosedRange<Nanoseconds>, count: UInt64, at time: Nanoseconds
    ) -> Verdict {
        let counted = lastCount.map { count >= $0 ? count - $0 : 0 } ?? 0
        defer { (lookedAt, lastCount) = (looks.upperBound, count) }
        guard ended == 0 else {
            (restingSince, countAtRest) = (nil, nil)
            return .serving
        }
        // The look before may have seen what was counted before it, unless it saw nothing either;
        // what was counted after the last look, the next one may see.
        let isSeen = restingSince == nil && lookedAt.map { time < $0 } ?? false
        let isAhead = time > looks.lowerBound
        let verdict: Verdict =
            counted < Self.mostUnseen || isSeen || isAhead ? .serving : .doubtful
        guard let since = restingSince ?? lookedAt else { return verdict }
        restingSince = since
        // What was counted before it rested, looks had their part of.
        guard time >= since, !isAhead else { return verdict }
        guard let rest = countAtRest, count >= rest else {
            countAtRest = count
            return verdict
        }
        return count - rest < Self.mostUnseen ? verdict : .abandoned
    }

    /// Takes what QEMU says of the driver.
    mutating func take(_ status: QMPVirtioStatus, at now: Nanoseconds) {
        guard status.hasDriver else { return wait(.noDriver, at: now) }
        guard status.guestFeatures?.contains("VIRTIO_F_IOMMU_PLATFORM") != true else {
            return wait(.behindIOMMU, at: now)
        }
        if let known = self.status, !known.isSameDriver(as: status) { forget() }
        self.status = status
        problem = nil
    }

    /// Takes where virtqueue `number` is.
    mutating func take(_ ring: Ring?, ofQueue number: Int, at now: Nanoseconds) {
        guard status != nil, number < queueCount else { return }
        guard let ring, ring.size > 0, ring.size <= 32768 else {
            return wait(.refused("a virtqueue of no size"), at: now)
        }
        // Another driver, or the same one anew: whatever else was said was said of the former.
        if let known = rings[number], known != ring { return forget() }
        rings[number] = ring
        guard isComplete else { return }
        if rings.values.contains(where: \.isUsed) {
            pause = Self.firstPause
        } else {
            wait(.noDriver, at: now)
        }
    }

    /// QEMU refuses to tell.
    mutating func takeRefusal(saying words: String, at now: Nanoseconds) {
        wait(.refused(words), at: now)
    }

    /// There is nothing to be known now: it is asked for again, less and less often.
    private mutating func wait(_ problem: Problem, at now: Nanoseconds) {
        status = nil
        rings = [:]
        self.problem = problem
        askAt = now &+ pause
        pause = min(pause &* 2, Self.longestPause)
    }
}

// MARK: Places

extension RingDevice {
    /// Its virtqueues, once all are known.
    var places: [RingPlace] {
        guard isComplete, let features = status?.guestFeatures else { return [] }
        return rings.sorted { $0.key < $1.key }.compactMap { number, ring in
            place(number, ring, features)
        }
    }

    private func place(
        _ number: Int, _ ring: Ring, _ features: QMPVirtioFeatures
    ) -> RingPlace? {
        let isPacked = features.contains("VIRTIO_F_RING_PACKED")
        // A split ring's index counts modulo its size.
        guard ring.isUsed, isPacked || ring.size & (ring.size - 1) == 0 else { return nil }
        var own: QueueFeatures = []
        if features.contains("VIRTIO_RING_F_INDIRECT_DESC") { own.insert(.indirect) }
        if features.contains("VIRTIO_RING_F_EVENT_IDX") { own.insert(.eventIndex) }
        let tells = own.contains(.eventIndex) && !isPacked
        return RingPlace(
            lun: identity.lun, queue: number, size: ring.size,
            layout: isPacked ? .packed : .split,
            descriptors: GuestAddress(rawValue: ring.descriptors),
            avail: GuestAddress(rawValue: ring.avail), used: GuestAddress(rawValue: ring.used),
            features: own, showsPops: tells && (!identity.isVhost || isServedByLibvhost),
            showsReaps: tells)
    }
}

extension RingDevice {
    /// Whether the other process uses libvhost-user, as qemu-storage-daemon does: no other library
    /// is known to agree upon all these.
    private var isServedByLibvhost: Bool {
        status?.vhostProtocols.isSuperset(of: [
            "VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS", "VHOST_USER_PROTOCOL_F_HOST_NOTIFIER",
            "VHOST_USER_PROTOCOL_F_LOG_SHMFD",
        ]) ?? false
    }
}

extension RingPlace {
    /// Whether all its parts lie in `ram` (virtio 1.2 §2.7, §2.8).
    func lies(in ram: GuestRAM) -> Bool {
        func holds(_ address: GuestAddress, _ byteCount: Int) -> Bool {
            ram.translate(address.rawValue, byteCount: UInt64(byteCount)) != nil
        }
        // A packed ring has its events in place of the rings.
        func byteCount(_ part: SplitRing.Part) -> Int {
            layout == .split ? SplitRing.byteCount(of: part, size: size) : 4
        }
        return holds(descriptors, SplitRing.byteCount(of: .descriptors, size: size))
            && holds(avail, byteCount(.avail)) && holds(used, byteCount(.used))
    }
}

extension RingDevice.Ring {
    init?(_ queue: QMPVirtioQueue) {
        self.init(queue.size, queue.descriptors, queue.availableRing, queue.usedRing)
    }

    init?(_ queue: QMPVhostQueue) {
        self.init(queue.size, queue.descriptors, queue.availableRing, queue.usedRing)
    }

    private init?(_ size: Int?, _ descriptors: UInt64?, _ avail: UInt64?, _ used: UInt64?) {
        guard let size, let descriptors, let avail, let used else { return nil }
        self.init(size: size, descriptors: descriptors, avail: avail, used: used)
    }
}

extension QMPVirtioStatus {
    fileprivate var hasDriver: Bool {
        statuses.contains("VIRTIO_CONFIG_S_DRIVER_OK") && isBroken != true
    }

    fileprivate func isSameDriver(as other: QMPVirtioStatus) -> Bool {
        guestFeatures == other.guestFeatures && queueCount == other.queueCount
    }
}
