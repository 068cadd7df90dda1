import Analysis
import Foundation
import Telemetry
import Testing

/// Texts as they are shown, kept beside the tests. `VBLKTOP_RECORD_GOLDENS=1` records them anew;
/// one that is missing is recorded and fails.
private func checkGolden(_ text: String, _ name: String) throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Goldens").appendingPathComponent(name + ".txt")
    let known = try? String(contentsOf: url, encoding: .utf8)
    let isRecording = ProcessInfo.processInfo.environment["VBLKTOP_RECORD_GOLDENS"] == "1"
    if isRecording || known == nil { try text.write(to: url, atomically: true, encoding: .utf8) }
    if isRecording { return }
    let expected = try #require(known, "golden \(name) was missing; recorded now")
    #expect(text == expected, "\(name) differs")
}

/// Two LUNs with requests and samples, a finding, a mark, a stall.
private func smallReport() -> Report.Result {
    var report = Report()
    var slow = request(lun: 1, at: 2 * second, took: 1500 * millisecond, sector: 4096)
    slow.popped = slow.queued + 100_000
    slow.submitted = slow.popped + 20_000
    slow.completed = slow.reaped - 30_000
    slow.published = slow.reaped - 10_000
    let reads = (0..<200).map {
        request(
            at: second + UInt64($0) * 10 * millisecond, took: 200_000 + UInt64($0) * 1000,
            sector: UInt64($0) * 8)
    }
    let writes = (0..<50).map {
        request(
            1, lun: 1, at: second + UInt64($0) * 15 * millisecond, took: 900_000,
            sector: UInt64($0 * 7919 % 50) * 2048, bytes: 65_536)
    }
    report.add(
        (reads + writes + [slow]).sorted { $0.end < $1.end }, names: ["vd00", "vd01\u{1B}[31m"])
    for step in 0...3 as ClosedRange<UInt64> {
        var snapshot = sample(
            at: second + step * second, sequence: step + 1,
            [lun("vd00", reads: 50), lun("vd01\u{1B}[31m", reads: 12)])
        if step == 1 {
            snapshot.findings = [
                Finding(
                    rule: "io-thread-missing", severity: .advice, scope: "lun:vd00",
                    title: "vd00 is served by the main loop", evidence: "e", fix: "f")
            ]
        }
        report.add(snapshot)
    }
    report.add(Mark(monotonic: 2 * second, kind: .note, text: "load started"))
    return report.finish()
}

@Test(arguments: [80, 132]) func aReportIsShownInSoManyColumns(width: Int) throws {
    let text = smallReport().text(width: width)
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= width })
    try checkGolden(text, "report-\(width)")
}

@Test func aComparisonIsShown() throws {
    var reports: [Report.Result] = []
    for (scale, cache) in [(1.0, "writeback"), (2, "none")] {
        var report = Report()
        for step in 1...20 as ClosedRange<UInt64> {
            var disk = lun("vd00", reads: 1000 * scale + Double(step * 37 % 20), latency: 80)
            disk.cache = cache
            report.add(sample(at: step * second, [disk, lun("vd01", reads: 10)]))
        }
        reports.append(report.finish())
    }
    let comparison = Comparison(reports[0], reports[1])
    try checkGolden(comparison.text(width: 100), "comparison-100")
    #expect(comparison.text().split(separator: "\n").allSatisfy { $0.count <= 80 })
}

@Test func theJSONOfAReportHasItsFigures() throws {
    let data = try JSONEncoder().encode(smallReport())
    let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    #expect(object?["schema"] as? Int == 1)
    #expect(object?["basis"] as? String == "requests")
    let total = object?["total"] as? [String: Any]
    #expect(total?["reads"] as? Int == 201)
    #expect((object?["luns"] as? [Any])?.count == 2)
    let slowest = object?["slowest"] as? [[String: Any]]
    #expect(slowest?.count == 20)
    #expect(slowest?.first?["latency_us"] as? Double == 1_500_000)
    #expect(slowest?.first?["time"] as? String == "1970-01-01T01:00:02.000Z")
}
