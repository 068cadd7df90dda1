import Telemetry
import Testing

@testable import Screens

@Suite("Times as people type them")
struct TimeTargetTests {
    /// 2026-01-02 03:04:05 UTC
    private let near: Int64 = 1_767_323_045_000_000_000

    private func iso(_ text: String, within range: ClosedRange<Int64>? = nil, offset: Int = 0)
        -> String?
    {
        guard
            case .wallClock(let time) = TimeTarget(
                text, near: near, within: range, offset: offset)
        else { return nil }
        return iso8601(time)
    }

    @Test(
        "times of the day and dates",
        arguments: [
            ("22:01", "2026-01-01T22:01:00.000Z"), ("3:4", "2026-01-02T03:04:00.000Z"),
            ("00:00:00", "2026-01-02T00:00:00.000Z"), ("22:01:30Z", "2026-01-01T22:01:30.000Z"),
            ("22:01:30.25", "2026-01-01T22:01:30.250Z"), (" 22:01 ", "2026-01-01T22:01:00.000Z"),
            ("2026-01-02 22:01", "2026-01-02T22:01:00.000Z"),
            ("2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999Z"),
            ("1999-12-31", "1999-12-31T00:00:00.000Z"), ("0", "1970-01-01T00:00:00.000Z"),
            ("1767323045", "2026-01-02T03:04:05.000Z"),
            ("1767323045.5", "2026-01-02T03:04:05.500Z"),
        ])
    func wallClock(text: String, expected: String) { #expect(iso(text) == expected) }

    @Test(
        "amounts",
        arguments: [
            ("-5m", -300), ("+30s", 30), ("-1h30m", -5400), ("+90", 90), ("-2d", -172_800),
            ("+250ms", 0.25), ("-1.5h", -5400), ("+1m5", 65), ("+2min", 120),
        ])
    func relative(text: String, seconds: Double) {
        #expect(TimeTarget(text, near: near) == .relative(seconds))
    }

    @Test(
        "what is no time",
        arguments: [
            "", " ", "24:00", "22:60", "22:01:60", "22:", ":01", "22:01:", "22:01x", "22-01",
            "2026-13-01", "2026-02-29", "2025-02-29 10:00", "2026-00-10", "2026-01-00",
            "2026-01-02 25:00", "2026-01-02x10:00", "-", "+", "-m", "-5parsec",
            "+99999999999", "-9999999999d", "99999999999999999999", "9300000000", "1e9", "nan",
            "-5m 3", "22:01:30.", "１２:00", "five", "+1h-5m",
            String(repeating: "1", count: 100),
        ])
    func nonsense(text: String) { #expect(TimeTarget(text, near: near) == nil, "\(text)") }

    @Test("a time of the day is the one that was recorded, the nearest of two")
    func nearest() {
        let hour: Int64 = 3_600_000_000_000
        // From 20:04 the day before on.
        let night = (near - 7 * hour)...near
        #expect(iso("22:01", within: night) == "2026-01-01T22:01:00.000Z")
        #expect(iso("02:00", within: night) == "2026-01-02T02:00:00.000Z")
        #expect(iso("12:00", within: night) == "2026-01-02T12:00:00.000Z", "none was recorded")
        let days = (near - 48 * hour)...(near + 48 * hour)
        #expect(iso("22:01", within: days) == "2026-01-01T22:01:00.000Z")
        #expect(iso("04:00", within: days) == "2026-01-02T04:00:00.000Z")
    }

    @Test("a zone moves what is typed, amounts and epoch seconds aside")
    func zones() {
        #expect(iso("10:00", offset: 7200) == "2026-01-02T08:00:00.000Z")
        #expect(iso("2026-01-02 10:00", offset: -3600) == "2026-01-02T11:00:00.000Z")
        #expect(iso("1767323045", offset: 7200) == "2026-01-02T03:04:05.000Z")
        #expect(TimeTarget("-5m", near: near, offset: 7200) == .relative(-300))
    }

    @Test("no text and no clock trap", arguments: 0..<16)
    func hostile(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("0123456789:-+. TZdhms磁")
        for _ in 0..<400 {
            let text = String(
                (0..<(random.next() % 24)).map { _ in
                    alphabet[Int(random.next() % UInt64(alphabet.count))]
                })
            let near = [Int64.min, .max, 0, Int64(bitPattern: random.next())][
                Int(random.next() % 4)]
            _ = TimeTarget(
                text, near: near, within: Int64.min...Int64.max,
                offset: [Int.min, .max, 0][
                    Int(random.next() % 3)])
        }
    }
}
