internal import Telemetry

/// The description of a trace's bytes in the language of CTF 1.8 (TSDL).
enum CTFMetadata {
    static func bytes(names: ExportNames, origin: ExportOrigin) -> [UInt8] {
        var text = Array("/* CTF 1.8 */\n\n".utf8)
        for bits in [8, 16, 32, 64] {
            text.append(
                text: "typealias integer { size = \(bits); align = 8; signed = false; }"
                    + " := uint\(bits)_t;\n")
        }
        text.append(
            text: """

                trace {
                    major = 1;
                    minor = 8;
                    byte_order = le;
                    packet.header := struct { uint32_t magic; uint32_t stream_id; };
                };

                env { tracer_name = "vblktop"; };

                """)
        text.append(text: clock(origin))
        text.append(
            text: """

                typealias integer {
                    size = 64; align = 8; signed = false; map = clock.monotonic.value;
                } := timestamp_t;

                stream {
                    id = 0;
                    packet.context := struct {
                        timestamp_t timestamp_begin;
                        timestamp_t timestamp_end;
                        uint64_t content_size;
                        uint64_t packet_size;
                        uint64_t events_discarded;
                    };
                    event.header := struct { timestamp_t timestamp; };
                };


                """)
        enumeration(
            "lun_t", "uint16_t", names.all.map { ($0.name, UInt64($0.index)) }, in: &text)
        enumeration(
            "operation_t", "uint32_t", RequestType.allCases.map { ($0.word, UInt64($0.rawValue)) },
            in: &text)
        enumeration(
            "status_t", "uint8_t", RequestStatus.allCases.map { ($0.word, UInt64($0.rawValue)) },
            in: &text)
        text.append(text: event)
        return text
    }

    /// The clock's offset is what the wall clock showed when it was 0.
    private static func clock(_ origin: ExportOrigin) -> String {
        var lines = "clock {\n    name = monotonic;\n    freq = 1000000000;\n"
        if let offset = origin.wallClock(at: 0), offset >= 0 {
            let (seconds, rest) = offset.quotientAndRemainder(dividingBy: 1_000_000_000)
            lines += "    offset_s = \(seconds);\n    offset = \(rest);\n"
        }
        return lines + "};\n"
    }

    /// A number with names for some of its values; plain where there is none, since an enumeration
    /// cannot be empty.
    private static func enumeration(
        _ name: String, _ type: String, _ labels: [(String, UInt64)], in text: inout [UInt8]
    ) {
        guard !labels.isEmpty else {
            text.append(text: "typealias \(type) := \(name);\n")
            return
        }
        text.append(text: "typealias enum : \(type) {")
        for (index, (label, value)) in labels.enumerated() {
            text.append(text: index == 0 ? "\n    " : ",\n    ")
            text.append(quoted: label)
            text.append(text: " = \(value)")
        }
        text.append(text: "\n} := \(name);\n\n")
    }

    private static let event = """
        event {
            name = "request";
            stream_id = 0;
            fields := struct {
                lun_t lun;
                operation_t operation;
                status_t status;
                uint16_t queue;
                uint16_t head;
                uint64_t sector;
                uint32_t bytes;
                uint64_t queued;
                uint64_t kicked;
                uint64_t popped;
                uint64_t submitted;
                uint64_t completed;
                uint64_t published;
                uint64_t notified;
                uint64_t reaped;
            };
        };

        """
}
