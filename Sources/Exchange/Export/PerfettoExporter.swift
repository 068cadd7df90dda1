public import Telemetry

/// Writes a Perfetto trace (protocol buffers), for ui.perfetto.dev and trace_processor.
///
/// Each LUN is a track. Below it lies a track for each place in flight, so that requests that
/// overlap stand beside each other; a request is a slice with its stages as slices within it, where
/// their stamps are known and in order. A counter has the requests in flight. A request whose start
/// or end is not known is an instant on the LUN's track, and does not count as in flight.
///
/// Times are `CLOCK_MONOTONIC` nanoseconds, exact, tied to the wall clock. Not carried: kick and
/// notification; how many requests were lost (only that some were). Requests without any stamp are
/// left out and counted in `omitted`.
public struct PerfettoExporter: TraceExporter {
    /// A LUN's places in flight.
    private struct Places {
        var isOpen = false
        /// When each is free again.
        var ends: [Nanoseconds] = []
        var depth: UInt64 = 0
    }

    /// Places of one LUN that get a track; requests beyond are instants.
    static let placeLimit = 4096
    private let origin: ExportOrigin
    private var names = ExportNames()
    private var packets = PerfettoPackets()
    /// By the index of the LUN.
    private var places: [Places] = []
    private var ends = TimeOrder<UInt16>()
    private var isBegun = false
    public private(set) var omitted: UInt64 = 0

    /// Ties the clocks together by `origin`.
    public init(origin: ExportOrigin) { self.origin = origin }

    public mutating func name(_ name: String, ofLUN index: UInt16) { names.name(name, index) }

    public mutating func lost(_ count: UInt64) {
        begin()
        if count > 0 { packets.loss() }
    }

    public mutating func bytes(for events: [IOEvent]) -> [UInt8] {
        begin()
        for event in events { add(event) }
        return packets.take()
    }

    public mutating func finish() -> [UInt8] {
        begin()
        countEnds(upTo: .max)
        return packets.take()
    }

    private mutating func begin() {
        if isBegun { return }
        isBegun = true
        packets.begin(origin)
    }

    private mutating func add(_ event: IOEvent) {
        let (start, end) = (event.start, event.end)
        guard start != 0 || end != 0 else {
            omitted &+= 1
            return
        }
        open(event.lun)
        guard event.latency != nil, let track = place(for: event) else {
            let track = Self.track(of: event.lun)
            packets.event(.instant, at: start != 0 ? start : end, on: track) {
                PerfettoPackets.describe(event, in: &$0)
            }
            return
        }
        countEnds(upTo: start)
        count(event.lun, at: start) { $0 &+ 1 }
        ends.add(event.lun, at: end)
        packets.event(.sliceBegin, at: start, on: track) {
            PerfettoPackets.describe(event, in: &$0)
        }
        addStages(of: event, on: track)
        packets.event(.sliceEnd, at: end, on: track)
    }

    private mutating func addStages(of event: IOEvent, on track: UInt64) {
        var last = event.start
        for stage in StageTimes.Stage.allCases {
            let from =
                switch stage {
                case .ringWait: event.queued
                case .submit: event.popped
                case .storage: event.submitted
                case .complete: event.completed
                case .notify: event.published
                }
            guard let time = event.time(in: stage), from >= last, from + time <= event.end else {
                continue
            }
            packets.event(.sliceBegin, at: from, on: track) {
                PerfettoPackets.describe(stage, in: &$0)
            }
            last = from + time
            packets.event(.sliceEnd, at: last, on: track)
        }
    }

    // MARK: Tracks

    private static func track(of lun: UInt16) -> UInt64 { (UInt64(lun) + 1) << 32 }
    private static func counter(of lun: UInt16) -> UInt64 { track(of: lun) | 0xFFFF_FFFF }

    private mutating func open(_ lun: UInt16) {
        while places.count <= Int(lun) { places.append(Places()) }
        if places[Int(lun)].isOpen { return }
        places[Int(lun)].isOpen = true
        let track = Self.track(of: lun)
        packets.track(track, name: names[lun], parent: nil)
        packets.track(
            Self.counter(of: lun), name: "\(names[lun]) in flight", parent: track, isCounter: true)
    }

    /// The track of the first place that is free at the request's start; `nil` if there is none.
    private mutating func place(for event: IOEvent) -> UInt64? {
        let lun = Int(event.lun)
        let parent = Self.track(of: event.lun)
        if let free = places[lun].ends.firstIndex(where: { $0 <= event.start }) {
            places[lun].ends[free] = event.end
            return parent | UInt64(free + 1)
        }
        let number = places[lun].ends.count + 1
        guard number <= Self.placeLimit else { return nil }
        places[lun].ends.append(event.end)
        let track = parent | UInt64(number)
        packets.track(track, name: "\(names[event.lun]) \(number)", parent: parent)
        return track
    }

    // MARK: Requests in flight

    private mutating func countEnds(upTo time: Nanoseconds) {
        while let (time, lun) = ends.next(upTo: time) {
            count(lun, at: time) { $0 > 0 ? $0 - 1 : 0 }
        }
    }

    private mutating func count(
        _ lun: UInt16, at time: Nanoseconds, _ change: (UInt64) -> UInt64
    ) {
        let depth = change(places[Int(lun)].depth)
        places[Int(lun)].depth = depth
        packets.event(.counter, at: time, on: Self.counter(of: lun)) { $0.number(30, depth) }
    }
}
