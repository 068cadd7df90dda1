internal import Telemetry

/// The requests of a sample that are told one by one: those under way, and the slowest of those
/// that ended. They are never the key's, so each list stands for itself.
///
/// The names of their LUNs: count, texts. Then count, and for each request a length and its fields,
/// of which a further one is appended.
enum RequestList {
    /// The requests under way of a sample taken at `base`; `nil` without any.
    static func encode(_ requests: [InFlightRequest], base: Nanoseconds) -> [UInt8]? {
        encode(requests, lun: \.lun) { request, walker in request.walk(&walker, base) }
    }

    /// The slowest requests of a sample taken at `base`; `nil` without any.
    static func encode(_ requests: [SlowRequest], base: Nanoseconds) -> [UInt8]? {
        encode(requests, lun: \.lun) { slow, walker in slow.request.walk(&walker, base) }
    }

    static func inFlight(
        _ bytes: ArraySlice<UInt8>?, base: Nanoseconds
    ) throws(RecordingError) -> [InFlightRequest] {
        try decode(bytes) { lun, walker in
            var request = InFlightRequest(
                lun: lun, queue: 0, head: 0, since: 0, age: 0, place: .ringOrDevice)
            request.walk(&walker, base)
            return request
        }
    }

    static func slowest(
        _ bytes: ArraySlice<UInt8>?, base: Nanoseconds
    ) throws(RecordingError) -> [SlowRequest] {
        try decode(bytes) { lun, walker in
            var slow = SlowRequest(lun: lun, request: .unknown)
            slow.request.walk(&walker, base)
            return slow
        }
    }

    private static func encode<Request>(
        _ requests: [Request], lun: (Request) -> String,
        _ walk: (inout Request, inout FieldWalker) -> Void
    ) -> [UInt8]? {
        let requests = requests.prefix(RowList.limit)
        guard !requests.isEmpty else { return nil }
        var (names, places): ([String], [String: Int]) = ([], [:])
        for request in requests where places[lun(request)] == nil {
            places[lun(request)] = names.count
            names.append(lun(request))
        }
        var head = FieldWalker()
        head.visit(&names)
        var writer = head.writer
        writer.number(requests.count)
        for var request in requests {
            var walker = FieldWalker()
            var place = places[lun(request)] ?? 0
            walker.visit(&place)
            walk(&request, &walker)
            writer.number(walker.writer.bytes.count)
            writer.append(walker.writer.bytes)
        }
        return writer.bytes
    }

    private static func decode<Request>(
        _ bytes: ArraySlice<UInt8>?, _ read: (String, inout FieldWalker) -> Request
    ) throws(RecordingError) -> [Request] {
        guard let bytes else { return [] }
        var reader = ByteReader(bytes)
        let nameCount = reader.count()
        let names = (0..<nameCount).map { _ in reader.text() }
        let count = reader.count()
        guard count <= RowList.limit else { throw malformed("too many requests in a sample") }
        var requests: [Request] = []
        requests.reserveCapacity(count)
        for _ in 0..<count {
            let length = reader.count()
            var walker = FieldWalker(reading: reader.take(length))
            var place = 0
            walker.visit(&place)
            guard names.indices.contains(place) else {
                throw malformed("a request is of a LUN that its sample does not name")
            }
            requests.append(read(names[place], &walker))
            guard !walker.isBroken, !reader.isBroken else {
                throw malformed("a request is cut short")
            }
        }
        guard !reader.isBroken else { throw malformed("a list of requests is cut short") }
        return requests
    }
}

extension InFlightRequest {
    /// Visits all but the LUN.
    fileprivate mutating func walk(_ walker: inout FieldWalker, _ base: Nanoseconds) {
        walker.visit(&queue)
        walker.visit(&head)
        var wideType = type.map(UInt64.init)
        walker.visit(&wideType)
        type = wideType.map { UInt32(truncatingIfNeeded: $0) }
        walker.visit(&sector)
        walker.visit(&byteCount)
        walker.visit(&since, base)
        walker.visit(&age)
        var error = ageUncertainty.map(\.bitPattern.byteSwapped)
        walker.visit(&error)
        ageUncertainty = error.map { Double(bitPattern: $0.byteSwapped) }
        walker.visit(&place, else: .ringOrDevice)
    }
}

extension IOEvent {
    /// Visits everything; of the stamps those that are known.
    fileprivate mutating func walk(_ walker: inout FieldWalker, _ base: Nanoseconds) {
        walker.visit(&type)
        walker.visit(&status)
        walker.visit(&lun)
        walker.visit(&queue)
        walker.visit(&head)
        walker.visit(&sector)
        walker.visit(&byteCount)
        var known = knownStamps
        walker.visit(&known)
        if known & StampChain.queued != 0 { walker.visit(&queued, base) }
        if known & StampChain.kicked != 0 { walker.visit(&kicked, base) }
        if known & StampChain.popped != 0 { walker.visit(&popped, base) }
        if known & StampChain.submitted != 0 { walker.visit(&submitted, base) }
        if known & StampChain.completed != 0 { walker.visit(&completed, base) }
        if known & StampChain.published != 0 { walker.visit(&published, base) }
        if known & StampChain.notified != 0 { walker.visit(&notified, base) }
        if known & StampChain.reaped != 0 { walker.visit(&reaped, base) }
        walker.visit(&queuedError)
        walker.visit(&endError)
    }
}

extension FieldWalker {
    fileprivate mutating func visit(_ number: inout some FixedWidthInteger & UnsignedInteger) {
        var wide = UInt64(number)
        visit(&wide)
        number = .init(truncatingIfNeeded: wide)
    }

    /// A time, as how long before `base` it was.
    fileprivate mutating func visit(_ time: inout Nanoseconds, _ base: Nanoseconds) {
        var distance = Int(truncatingIfNeeded: base &- time)
        visit(&distance)
        time = base &- Nanoseconds(bitPattern: Int64(distance))
    }

    /// The bytes of a double in reverse: whole numbers are short from their high end.
    fileprivate mutating func visit(_ number: inout Double) {
        var word = number.bitPattern.byteSwapped
        visit(&word)
        number = Double(bitPattern: word.byteSwapped)
    }
}
