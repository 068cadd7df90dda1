internal import Telemetry

/// The requests of a sample that are told one by one, some 30 bytes each. Most samples have none,
/// and cost nothing.
struct PackedRequests: Sendable {
    /// The LUNs they are of, shared with the sample before where they are the same.
    private let names: [String]
    private let bytes: [UInt8]
    /// The sample's time: stamps lie near it.
    private let base: Nanoseconds
    private let inFlightCount: Int
    private let slowCount: Int
    /// Latency of the slowest that ended, nanoseconds; 0 without any.
    let longest: Nanoseconds
    /// Bytes on the heap that are not the previous sample's.
    let byteCount: Int

    /// Packs both lists of `snapshot`.
    init(_ snapshot: Snapshot, like previous: PackedRequests?) {
        base = snapshot.monotonic
        inFlightCount = snapshot.inFlight.count
        slowCount = snapshot.slowest.count
        longest = snapshot.slowest.reduce(0) { max($0, $1.request.latency ?? 0) }
        var book = NameTable()
        var bytes: [UInt8] = []
        for request in snapshot.inFlight {
            PackedNumber.append(book.place(of: request.lun), to: &bytes)
            Self.append(request, snapshot.monotonic, to: &bytes)
        }
        for slow in snapshot.slowest {
            PackedNumber.append(book.place(of: slow.lun), to: &bytes)
            Self.append(slow.request, snapshot.monotonic, to: &bytes)
        }
        self.bytes = inFlightCount + slowCount > 0 ? bytes.withoutSpareRoom : []
        let isShared = book.names == previous?.names
        names = isShared ? previous?.names ?? [] : book.names
        // Names of up to 15 bytes lie in the array itself.
        let nameBytes = book.names.reduce(32) {
            $0 + 16 + ($1.utf8.count > 15 ? 32 + $1.utf8.count : 0)
        }
        byteCount =
            (self.bytes.isEmpty ? 0 : 32 + self.bytes.count)
            + (isShared || book.names.isEmpty ? 0 : nameBytes)
    }

    var inFlight: [InFlightRequest] {
        var rest = bytes[...]
        return (0..<inFlightCount).map { _ in takeInFlight(&rest) }
    }

    var slowest: [SlowRequest] {
        guard slowCount > 0 else { return [] }
        var rest = bytes[...]
        for _ in 0..<inFlightCount { _ = takeInFlight(&rest) }
        return (0..<slowCount).map { _ in
            let lun = names[Int(PackedNumber.take(&rest))]
            return SlowRequest(lun: lun, request: Self.takeEvent(&rest, base))
        }
    }

    // MARK: Requests under way

    private static func append(
        _ request: InFlightRequest, _ base: Nanoseconds, to bytes: inout [UInt8]
    ) {
        let places = InFlightRequest.Place.allCases
        var flags = UInt64(places.firstIndex(of: request.place) ?? 0) << 4
        if request.type != nil { flags |= 1 }
        if request.sector != nil { flags |= 2 }
        if request.byteCount != nil { flags |= 4 }
        if request.ageUncertainty != nil { flags |= 8 }
        PackedNumber.append(flags, to: &bytes)
        PackedNumber.append(signed: Int64(request.queue), to: &bytes)
        PackedNumber.append(UInt64(request.head), to: &bytes)
        if let type = request.type { PackedNumber.append(UInt64(type), to: &bytes) }
        if let sector = request.sector { PackedNumber.append(sector, to: &bytes) }
        if let count = request.byteCount { PackedNumber.append(count, to: &bytes) }
        PackedNumber.append(signed: Int64(bitPattern: base &- request.since), to: &bytes)
        PackedNumber.append(double: request.age, to: &bytes)
        if let error = request.ageUncertainty { PackedNumber.append(double: error, to: &bytes) }
    }

    private func takeInFlight(_ bytes: inout ArraySlice<UInt8>) -> InFlightRequest {
        let lun = names[Int(PackedNumber.take(&bytes))]
        let flags = PackedNumber.take(&bytes)
        let queue = Int(PackedNumber.takeSigned(&bytes))
        let head = UInt16(truncatingIfNeeded: PackedNumber.take(&bytes))
        var request = InFlightRequest(
            lun: lun, queue: queue, head: head, since: 0, age: 0,
            place: InFlightRequest.Place.allCases[Int(flags >> 4)])
        if flags & 1 != 0 {
            request.type = UInt32(truncatingIfNeeded: PackedNumber.take(&bytes))
        }
        if flags & 2 != 0 { request.sector = PackedNumber.take(&bytes) }
        if flags & 4 != 0 { request.byteCount = PackedNumber.take(&bytes) }
        request.since = base &- UInt64(bitPattern: PackedNumber.takeSigned(&bytes))
        request.age = PackedNumber.takeDouble(&bytes)
        if flags & 8 != 0 { request.ageUncertainty = PackedNumber.takeDouble(&bytes) }
        return request
    }

    // MARK: Requests that ended

    private static let stamps: [any WritableKeyPath<IOEvent, Nanoseconds> & Sendable] = [
        \.queued, \.kicked, \.popped, \.submitted, \.completed, \.published, \.notified, \.reaped,
    ]

    private static func append(
        _ event: IOEvent, _ base: Nanoseconds, to bytes: inout [UInt8]
    ) {
        // The unknown type is the highest number there is: it takes a byte when it wraps to 0.
        PackedNumber.append(UInt64(event.type &+ 1), to: &bytes)
        let numbers: [UInt64] = [
            UInt64(event.status), UInt64(event.lun), UInt64(event.queue), UInt64(event.head),
            event.sector, UInt64(event.byteCount), UInt64(event.queuedError),
            UInt64(event.endError),
        ]
        for number in numbers { PackedNumber.append(number, to: &bytes) }
        var known: UInt64 = 0
        for (bit, stamp) in stamps.enumerated() where event[keyPath: stamp] != 0 {
            known |= 1 << UInt64(bit)
        }
        PackedNumber.append(known, to: &bytes)
        var before = base
        for stamp in stamps where event[keyPath: stamp] != 0 {
            let time = event[keyPath: stamp]
            PackedNumber.append(signed: Int64(bitPattern: time &- before), to: &bytes)
            before = time
        }
    }

    private static func takeEvent(
        _ bytes: inout ArraySlice<UInt8>, _ base: Nanoseconds
    ) -> IOEvent {
        let type = UInt32(truncatingIfNeeded: PackedNumber.take(&bytes)) &- 1
        let numbers = (0..<8).map { _ in PackedNumber.take(&bytes) }
        var event = IOEvent(
            type: type, status: UInt8(truncatingIfNeeded: numbers[0]),
            lun: UInt16(truncatingIfNeeded: numbers[1]),
            head: UInt16(truncatingIfNeeded: numbers[3]), sector: numbers[4],
            byteCount: UInt32(truncatingIfNeeded: numbers[5]), queued: 0, kicked: 0, popped: 0,
            submitted: 0, completed: 0, published: 0, notified: 0, reaped: 0,
            queue: UInt16(truncatingIfNeeded: numbers[2]))
        event.queuedError = UInt32(truncatingIfNeeded: numbers[6])
        event.endError = UInt32(truncatingIfNeeded: numbers[7])
        let known = PackedNumber.take(&bytes)
        var before = base
        for (bit, stamp) in stamps.enumerated() where known >> UInt64(bit) & 1 == 1 {
            before = before &+ UInt64(bitPattern: PackedNumber.takeSigned(&bytes))
            event[keyPath: stamp] = before
        }
        return event
    }
}

/// Names in the order in which they come up.
private struct NameTable {
    private(set) var names: [String] = []
    private var places: [String: UInt64] = [:]

    mutating func place(of name: String) -> UInt64 {
        if let place = places[name] { return place }
        let place = UInt64(names.count)
        places[name] = place
        names.append(name)
        return place
    }
}
