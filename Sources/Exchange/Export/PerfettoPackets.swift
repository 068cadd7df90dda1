internal import Telemetry

/// Packets of a Perfetto trace; the numbers are those of its trace_packet.proto, track_event.proto,
/// track_descriptor.proto and interned_data.proto.
struct PerfettoPackets {
    private var trace = ProtobufMessage()

    /// The names that events give by number.
    enum Name {
        /// Operations, stages, then what stands for operations that virtio does not know.
        static let all =
            RequestType.allCases.map(\.word) + StageTimes.Stage.allCases.map(\.key) + ["other"]

        private static let operations = RequestType.allCases

        static func operation(_ type: UInt32) -> UInt64 {
            let known = operations.firstIndex { $0.rawValue == type }
            return UInt64(known ?? all.count - 1) + 1
        }

        static func stage(_ stage: StageTimes.Stage) -> UInt64 {
            UInt64(operations.count + stage.rawValue) + 1
        }
    }

    /// What a request tells beside its times.
    enum Argument: UInt64, CaseIterable {
        case sector = 1
        case bytes, status, queue, head, type

        /// In their order.
        static let all = allCases

        var key: String {
            switch self {
            case .sector: "sector"
            case .bytes: "bytes"
            case .status: "status"
            case .queue: "queue"
            case .head: "head"
            case .type: "type"
            }
        }
    }

    enum EventType: UInt64 {
        case sliceBegin = 1
        case sliceEnd, instant, counter
    }

    /// `CLOCK_MONOTONIC` and `CLOCK_REALTIME` among Perfetto's clocks.
    private static let monotonic: UInt64 = 3
    private static let realtime: UInt64 = 1
    private static let sequence: UInt64 = 1

    /// What was written since it was taken before.
    mutating func take() -> [UInt8] {
        defer { trace = ProtobufMessage() }
        return trace.bytes
    }

    /// The first packets: clocks, and the names used by number.
    mutating func begin(_ origin: ExportOrigin) {
        trace.message(1) { packet in
            packet.number(10, Self.sequence)
            packet.number(13, 1)
            packet.number(87, 1)
            packet.message(59) { $0.number(58, Self.monotonic) }
            packet.message(12) { interned in
                Self.names(["request", "stage"], field: 1, in: &interned)
                Self.names(Name.all, field: 2, in: &interned)
                Self.names(Argument.allCases.map(\.key), field: 3, in: &interned)
            }
        }
        trace.message(1) { packet in
            packet.number(10, Self.sequence)
            packet.message(6) { snapshot in
                snapshot.message(1) { clock in
                    clock.number(1, Self.monotonic)
                    clock.number(2, origin.monotonic)
                }
                if let wallClock = origin.wallClock, wallClock >= 0 {
                    snapshot.message(1) { clock in
                        clock.number(1, Self.realtime)
                        clock.number(2, UInt64(wallClock))
                    }
                }
                snapshot.number(2, Self.monotonic)
            }
        }
    }

    private static func names(
        _ names: [String], field: UInt32, in interned: inout ProtobufMessage
    ) {
        for (index, name) in names.enumerated() {
            interned.message(field) { entry in
                entry.number(1, UInt64(index) + 1)
                entry.text(2, name)
            }
        }
    }

    /// A track called `name` under the track `parent`; a counter counts things.
    mutating func track(_ uuid: UInt64, name: String, parent: UInt64?, isCounter: Bool = false) {
        trace.message(1) { packet in
            packet.number(10, Self.sequence)
            packet.message(60) { track in
                track.number(1, uuid)
                track.text(2, name)
                if let parent { track.number(5, parent) }
                if isCounter { track.message(8) { $0.number(3, 2) } }
            }
        }
    }

    /// An event of `type`; `build` adds what it needs beside its track.
    mutating func event(
        _ type: EventType, at time: Nanoseconds, on track: UInt64,
        _ build: (inout ProtobufMessage) -> Void = { _ in }
    ) {
        trace.message(1) { packet in
            packet.number(8, time)
            packet.number(10, Self.sequence)
            packet.number(13, 2)
            packet.message(11) { event in
                event.number(9, type.rawValue)
                event.number(11, track)
                build(&event)
            }
        }
    }

    /// Requests were lost before the next packet.
    mutating func loss() {
        trace.message(1) { packet in
            packet.number(10, Self.sequence)
            packet.number(42, 1)
        }
    }

    /// Adds an operation's name and arguments to an event.
    static func describe(_ request: IOEvent, in event: inout ProtobufMessage) {
        event.number(3, 1)
        event.number(10, Name.operation(request.type))
        for argument in Argument.all {
            event.message(4) { annotation in
                annotation.number(1, argument.rawValue)
                switch argument {
                case .sector: annotation.number(3, request.sector)
                case .bytes: annotation.number(3, UInt64(request.byteCount))
                case .status: annotation.text(6, request.statusWord)
                case .queue: annotation.number(3, UInt64(request.queue))
                case .head: annotation.number(3, UInt64(request.head))
                case .type: annotation.number(3, UInt64(request.type))
                }
            }
        }
    }

    /// Adds a stage's name to an event.
    static func describe(_ stage: StageTimes.Stage, in event: inout ProtobufMessage) {
        event.number(3, 2)
        event.number(10, Name.stage(stage))
    }
}
