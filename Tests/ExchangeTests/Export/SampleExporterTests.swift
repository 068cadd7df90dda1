import Exchange
import Foundation
import Telemetry
import Testing

@Suite struct SampleExporterTests {
    @Test func csvHasALineForEachLUNOfASample() throws {
        var exporter = SampleCSVExporter()
        let bytes = exporter.bytes(for: Samples.one) + exporter.bytes(for: Samples.one)
        let text = String(decoding: bytes + exporter.finish(), as: UTF8.self)
        let lines = text.components(separatedBy: "\r\n")
        #expect(lines.count == 6)
        #expect(lines[0].hasPrefix("time,monotonic_ns,interval_s,sequence,vm,lun,node,io_thread,"))
        #expect(
            lines[1].hasPrefix(
                "2023-11-14T22:13:20.500Z,9000000000,1,7,\"a,\"\"b\"\"\",vd00,node0,"
                    + "\"io0,io1\",1000.25,1000.25,,,,,4096000,,,,,0,250,3,2.5,2,9,12,"))
        #expect(lines[1].hasSuffix(",,,61.5,,,,"))
        #expect(
            lines[2]
                == "2023-11-14T22:13:20.500Z,9000000000,1,7,,vd01,"
                + String(repeating: ",", count: lines[0].filter { $0 == "," }.count - 6))
        #expect(Array(lines[1...2]) == Array(lines[3...4]))
    }

    @Test func jsonIsTheJSONFormOfASample() throws {
        var exporter = SampleJSONExporter()
        let bytes = try exporter.bytes(for: Samples.one)
        #expect(bytes.filter { $0 == UInt8(ascii: "\n") }.count == 1 && bytes.last == 10)
        let object = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        #expect((object?["luns"] as? [Any])?.count == 2)
    }

    @Test func openMetricsIsWhatItsGrammarSays() throws {
        let text = OpenMetricsExporter.text(of: Samples.one)
        let checker = OpenMetricsChecker(text)
        #expect(checker.faults == [])
        let lun = #"vm="a,\"b\"",lun="vd00""#
        let read = lun + #",operation="read""#
        let expected = [
            "vblktop_requests_per_second{\(read)}": "1000.25",
            "vblktop_throughput_bytes_per_second{\(read)}": "4096000.0",
            "vblktop_errors_per_second{\(lun)}": "0.0",
            "vblktop_requests_in_flight{\(lun)}": "3.0",
            "vblktop_oldest_in_flight_seconds{\(lun)}": "0.00025",
            "vblktop_stage_mean_seconds{\(lun),stage=\"storage\"}": "6.15e-05",
            "vblktop_request_latency_seconds_bucket{\(read),le=\"0.000001023\"}": "2",
            "vblktop_request_latency_seconds_bucket{\(read),le=\"0.000002047\"}": "3",
            "vblktop_request_latency_seconds_bucket{\(read),le=\"17.179869183\"}": "4",
            "vblktop_request_latency_seconds_bucket{\(read),le=\"+Inf\"}": "5",
            "vblktop_request_latency_seconds_gcount{\(read)}": "5",
            "vblktop_request_latency_seconds_gsum{\(read)}": "20.000082547",
        ]
        for (series, value) in expected { #expect(checker.values[series] == value, "\(series)") }
        // Nothing is known of the other LUN.
        #expect(checker.values.keys.allSatisfy { !$0.contains("vd01") })
        #expect(text.contains(#"name="de\"mo\\""#))
    }

    /// Requests that looks do not tell took at most twice what they may be off by, and nobody has
    /// counted their time.
    @Test func openMetricsDoesNotGuess() {
        var sample = Samples.one
        sample.luns[0].readLatencies?.record(0)
        sample.luns[0].rates.latencyUncertainty = 60
        sample.luns[0].rates.readLatency?.mean = nil
        let checker = OpenMetricsChecker(OpenMetricsExporter.text(of: sample))
        #expect(checker.faults == [])
        let read = #"vm="a,\"b\"",lun="vd00",operation="read""#
        let name = "vblktop_request_latency_seconds"
        let counts = [
            ("0.000001023", "2"), ("0.000065535", "3"), ("0.000131071", "5"), ("+Inf", "6"),
        ]
        for (bound, count) in counts {
            #expect(checker.values["\(name)_bucket{\(read),le=\"\(bound)\"}"] == count, "\(bound)")
        }
        #expect(checker.values["\(name)_gcount{\(read)}"] == "6")
        #expect(checker.values["\(name)_gsum{\(read)}"] == nil)
    }

    @Test func theCheckerFindsWhatIsWrong() {
        let text = OpenMetricsExporter.text(of: Samples.one)
        for (from, to) in [
            ("# EOF\n", ""), ("le=\"0.000002047\"", "le=\"0.0\""), ("} 3.0", "} x"),
            ("# UNIT vblktop_latency_seconds seconds", "# UNIT vblktop_latency_seconds ms"),
            ("\\\"b\\\"", "\"b\""), ("_gsum{", "_sum{"),
        ] {
            let broken = text.replacingOccurrences(of: from, with: to)
            #expect(!OpenMetricsChecker(broken).faults.isEmpty, "\(from)")
        }
    }

    /// No number of a sample makes a line that cannot be read.
    @Test func numbersThatAreNoneAreLeftOut() throws {
        let checker = OpenMetricsChecker(OpenMetricsExporter.text(of: Samples.broken))
        #expect(checker.faults == [])
        #expect(checker.values.values.allSatisfy { $0 != "nan" && $0 != "inf" })
        var exporter = SampleCSVExporter()
        let text = String(decoding: exporter.bytes(for: Samples.broken), as: UTF8.self)
        #expect(!text.contains("nan") && !text.contains("inf"))
    }

    @Test func openMetricsHasTheLastSample() throws {
        var exporter = OpenMetricsExporter()
        #expect(OpenMetricsChecker(String(decoding: exporter.finish(), as: UTF8.self)).faults == [])
        var last = Samples.one
        last.luns[0].id = "last"
        #expect(exporter.bytes(for: Samples.one) + exporter.bytes(for: last) == [])
        let text = String(decoding: exporter.finish(), as: UTF8.self)
        #expect(text.contains("lun=\"last\"") && !text.contains("lun=\"vd00\""))
        #expect(text == OpenMetricsExporter.text(of: last))
    }
}
