import Telemetry
import Testing

@Suite struct HarmlessTextTests {
    @Test func whatATerminalWouldObeyIsReplaced() {
        #expect("plain ü 日本".harmless() == "plain ü 日本")
        #expect("a\u{1B}[2Jb\n\u{9B}c".harmless() == "a\u{FFFD}[2Jb\u{FFFD}\u{FFFD}c")
        #expect("x\u{202E}y\u{2028}z".harmless(replacement: nil) == "xyz")
    }

    @Test func itIsCutAtTheLimit() {
        #expect("abcdef".harmless(limit: 3) == "abc")
        #expect("".harmless(limit: 3) == "")
    }
}
