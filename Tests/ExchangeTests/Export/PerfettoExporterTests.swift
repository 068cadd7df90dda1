import Exchange
import Foundation
import Telemetry
import Testing

@Suite struct PerfettoExporterTests {
    /// What a schema of the fields used says that the bytes are; the numbers are Perfetto's.
    private static let schema = """
        syntax = "proto2";
        message Trace { repeated TracePacket packet = 1; }
        message TracePacket {
          optional ClockSnapshot clock_snapshot = 6; optional uint64 timestamp = 8;
          optional uint32 trusted_packet_sequence_id = 10; optional TrackEvent track_event = 11;
          optional InternedData interned_data = 12; optional uint32 sequence_flags = 13;
          optional bool previous_packet_dropped = 42;
          optional TracePacketDefaults trace_packet_defaults = 59;
          optional TrackDescriptor track_descriptor = 60;
          optional bool first_packet_on_sequence = 87;
        }
        message TracePacketDefaults { optional uint32 timestamp_clock_id = 58; }
        message ClockSnapshot {
          message Clock { optional uint32 clock_id = 1; optional uint64 timestamp = 2; }
          repeated Clock clocks = 1; optional uint32 primary_trace_clock = 2;
        }
        message Name { optional uint64 iid = 1; optional string name = 2; }
        message InternedData {
          repeated Name event_categories = 1; repeated Name event_names = 2;
          repeated Name debug_annotation_names = 3;
        }
        message Counter { optional uint32 unit = 3; }
        message TrackDescriptor {
          optional uint64 uuid = 1; optional string name = 2; optional uint64 parent_uuid = 5;
          optional Counter counter = 8;
        }
        message DebugAnnotation {
          optional uint64 name_iid = 1; optional uint64 uint_value = 3;
          optional string string_value = 6;
        }
        message TrackEvent {
          enum Type { UNSPECIFIED = 0; BEGIN = 1; END = 2; INSTANT = 3; COUNTER = 4; }
          repeated uint64 category_iids = 3; repeated DebugAnnotation debug_annotations = 4;
          optional Type type = 9; optional uint64 name_iid = 10; optional uint64 track_uuid = 11;
          optional int64 counter_value = 30;
        }
        """

    /// The trace as protoc shows it, packet by packet, without spaces at the front of lines.
    private func packets(_ bytes: [UInt8]) throws -> [[String]] {
        let judge = try Judge()
        try judge.write(bytes, to: "t.pftrace")
        try judge.write(Array(Self.schema.utf8), to: "t.proto")
        let lines = try judge.output(inFolder: "protoc --decode=Trace t.proto < t.pftrace")
        var packets: [[String]] = []
        for line in lines {
            if line == "packet {" { packets.append([]) }
            let text = line.drop { $0 == " " }
            // A field that the schema has not is shown by its number.
            #expect(text.first?.isNumber != true, "\(line)")
            packets[packets.count - 1].append(String(text))
        }
        return packets
    }

    private func value(_ packet: [String], _ key: String) -> UInt64? {
        packet.first { $0.hasPrefix(key + ": ") }.flatMap { UInt64($0.dropFirst(key.count + 2)) }
    }

    @Test func aRequestIsASliceWithItsStages() throws {
        var exporter = PerfettoExporter(origin: exportOrigin)
        exporter.name("vd00", ofLUN: 0)
        let packets = try packets(try exporter.file(of: [Requests.one(type: 1, status: 1)]))
        #expect(packets[0].contains("first_packet_on_sequence: true"))
        #expect(packets[0].contains("timestamp_clock_id: 3"))
        #expect(packets[1].contains("timestamp: 1700000000123456789"))
        let tracks = packets.compactMap { $0.first { $0.hasPrefix("name: \"vd00") } }
        #expect(tracks == ["name: \"vd00\"", "name: \"vd00 in flight\"", "name: \"vd00 1\""])
        let events = packets.filter { $0.contains("track_event {") }
        func times(_ type: String) -> [UInt64] {
            events.filter { $0.contains("type: \(type)") }.compactMap { value($0, "timestamp") }
        }
        let start: UInt64 = 5_000_000_000
        #expect(
            times("BEGIN").map { $0 - start } == [0, 0, 1000, 3000, 60_000, 61_000])
        #expect(times("END").map { $0 - start } == [1000, 3000, 60_000, 61_000, 70_000, 70_000])
        #expect(times("COUNTER").map { $0 - start } == [0, 70_000])
        let first = try #require(events.first { $0.contains("type: BEGIN") })
        #expect(first.contains("string_value: \"ioerr\""))
        #expect(first.contains("uint_value: 4096"))
        // The last one: those before are of the arguments.
        #expect(value(first.reversed(), "name_iid") == 2)
    }

    /// Slices of one track nest, and all events are there.
    @Test func requestsInFlightDoNotBreakEachOther() throws {
        var exporter = PerfettoExporter(origin: exportOrigin)
        let events = Requests.orderly(500, seed: 14)
        let packets = try packets(try exporter.file(of: events))
        var open: [UInt64: Int] = [:]
        var last: [UInt64: UInt64] = [:]
        var slices = 0
        var depths: [UInt64: UInt64] = [:]
        for packet in packets where packet.contains("track_event {") {
            let track = try #require(value(packet, "track_uuid"))
            let time = try #require(value(packet, "timestamp"))
            #expect(time >= last[track] ?? 0)
            last[track] = time
            if packet.contains("type: BEGIN") {
                // A request stands at the top, its stages under it.
                #expect(packet.contains("category_iids: \(open[track] ?? 0 == 0 ? 1 : 2)"))
                open[track, default: 0] += 1
                slices += 1
            } else if packet.contains("type: END") {
                open[track, default: 0] -= 1
            } else {
                let depth = try #require(value(packet, "counter_value"))
                let before = depths[track] ?? 0
                #expect(depth == before + 1 || depth + 1 == before)
                depths[track] = depth
            }
        }
        #expect(slices == events.count * 6)
        #expect(open.values.allSatisfy { $0 == 0 })
        #expect(depths.count == 3 && depths.values.allSatisfy { $0 == 0 })
    }

    @Test func aRequestWithoutEndIsAnInstant() throws {
        var exporter = PerfettoExporter(origin: exportOrigin)
        var event = Requests.one()
        (event.completed, event.published, event.reaped) = (0, 0, 0)
        exporter.lost(3)
        let packets = try packets(try exporter.file(of: [event]))
        #expect(packets.filter { $0.contains("type: INSTANT") }.count == 1)
        #expect(packets.filter { $0.contains("previous_packet_dropped: true") }.count == 1)
        #expect(packets.allSatisfy { !$0.contains("type: BEGIN") })
    }
}
