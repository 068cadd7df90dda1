import Testing

@testable import Screens

@Suite("Numbers and patterns")
struct TextTests {
    @Test(
        "cells hold at most 4 figures, or a suffix where they would not fit",
        arguments: [
            (Unit.perSecond, 12_410.4, 6, "12410"), (.perSecond, 1_234_567, 6, "1.23M"),
            (.perSecond, 0.5, 5, "0.5"), (.perSecond, 0, 5, "0.0"), (.latency, 611.27, 6, "611"),
            (.latency, 99.96, 6, "100"), (.latency, 9.87, 6, "9.9"), (.ratio, 0.0429, 6, "0.043"),
            (.ratio, 12.3456, 6, "12.35"), (.bandwidth, 50_855_936, 5, "48.5"),
            (.percent, 100, 5, "100"), (.count, 65_535, 5, "65535"), (.kibibytes, 4096, 6, "4.0"),
            (.count, 1e300, 5, "-"), (.count, -.infinity, 5, "-"), (.count, .nan, 5, "-"),
        ])
    func cells(unit: Unit, value: Double, width: Int, text: String) {
        #expect(unit.text(value, width: width, latency: .microseconds, micro: "u") == text)
    }

    @Test(
        "latencies in every unit",
        arguments: [
            (LatencyUnit.milliseconds, 4120.0, "4.120"), (.milliseconds, 118_000, "118.0"),
            (.automatic, 4120, "4.12ms"), (.automatic, 611, "611us"), (.automatic, 4.1e6, "4.10s"),
        ])
    func latencies(unit: LatencyUnit, value: Double, text: String) {
        #expect(Unit.latency.text(value, width: 7, latency: unit, micro: "u") == text)
    }

    @Test(
        "patterns",
        arguments: [
            ("vd[0-3]", "xvd2", true), ("^vd$", "vd1", false), ("a|b+c", "xbbc", true),
            ("(ab)*c$", "ababc", true), ("colou?r", "COLOR", true), ("\\d\\d", "a1b2", false),
            ("[^a-z]", "abc", false), ("a.c", "abc", true), ("\\.img", "ximg", false),
            ("", "", true), ("^$", "x", false), ("[]]", "]", true), ("磁.", "一磁盘", true),
        ])
    func patterns(pattern: String, text: String, isFound: Bool) throws {
        #expect(try Pattern(pattern).matches(text) == isFound)
    }

    @Test("a pattern that hangs other engines ends at once")
    func catastrophic() throws {
        let pattern = try Pattern("^(a+)+(a*)*$")
        #expect(!pattern.matches(String(repeating: "a", count: 500) + "b"))
    }

    @Test("clocks and suffixes")
    func summaries() {
        #expect(NumberText.clock(192.9) == "03:12")
        #expect(NumberText.clock(3661) == "01:01:01")
        #expect(NumberText.compact(48_234) == "48.2k")
        #expect(NumberText.compact(999.7) == "1.00k")
        #expect(NumberText.compactBytes(1.21 * 1_073_741_824) == "1.21Gi")
    }
}
