internal import Telemetry

/// What one LUN's virtqueues showed together since this was taken last.
struct LUNSums: Sendable {
    /// How many of the slowest requests are kept.
    static let mostSlowest = 16

    let id: String
    /// Index of the LUN among those of all VMs, as `IOEvent.lun` has it.
    let number: UInt16
    /// Where in the VM's list its queues are.
    var queues: [Int] = []
    /// The depth of all queues together, for a LUN of several.
    var meter: QueueMeter
    private var depth: Int?
    private var reads = RingLatencies()
    private var writes = RingLatencies()
    private var untyped = RingLatencies()
    private var errorSum: UInt64 = 0
    private var counted: UInt64 = 0
    private(set) var slowest: [IOEvent] = []

    init(id: String, number: UInt16) {
        self.id = id
        self.number = number
        meter = QueueMeter(size: 0)
    }

    /// Notes how many requests are outstanding in all queues, of `size` descriptors together.
    mutating func note(outstanding: Int, size: Int, duration: Nanoseconds) {
        if meter.timeAtDepth.count <= size { meter = QueueMeter(size: size) }
        let new = QueueMeter.State(
            inFlight: outstanding, outstanding: outstanding, waiting: nil, unreaped: nil,
            isFull: false)
        if let depth {
            var old = new
            old.outstanding = depth
            meter.add(from: old, to: new, duration: duration)
        }
        depth = outstanding
    }

    /// Counts a request that ended.
    mutating func add(_ event: IOEvent) {
        guard let latency = event.latency else { return }
        errorSum &+= event.latencyError
        counted &+= 1
        switch event.type {
        case 0: reads.add(latency, error: event.latencyError)
        case 1: writes.add(latency, error: event.latencyError)
        case IOEvent.unknownType: untyped.add(latency, error: event.latencyError)
        default: break
        }
        guard slowest.count < Self.mostSlowest || latency > slowest.last?.latency ?? 0 else {
            return
        }
        let place = slowest.firstIndex { $0.latency ?? 0 < latency } ?? slowest.endIndex
        slowest.insert(event, at: place)
        if slowest.count > Self.mostSlowest { slowest.removeLast() }
    }

    /// Puts the requests counted into `reading`, and begins anew.
    mutating func takeRequests(into reading: inout LUNRings) {
        reading.readLatencies = reads.take()
        reading.writeLatencies = writes.take()
        reading.untypedLatencies = untyped.take()
        if counted > 0 { reading.latencyUncertainty = Double(errorSum) / Double(counted) / 1000 }
        reading.slowest = slowest
        (errorSum, counted) = (0, 0)
        slowest = []
    }
}
