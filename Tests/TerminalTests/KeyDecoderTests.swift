import Grid
import Testing

@testable import Terminal

/// What the keyboard sends, and the keys it means.
struct KeyDecoderTests {
    private func keys(_ bytes: [UInt8], isUTF8: Bool = true) -> [Key] {
        var decoder = KeyDecoder(isUTF8: isUTF8)
        return decoder.decode(bytes.map { .byte($0) })
    }

    private func keys(_ text: String) -> [Key] { keys(Array(text.utf8)) }

    @Test func charactersAndControls() {
        #expect(
            keys("a Z~") == [.character("a"), .character(" "), .character("Z"), .character("~")])
        #expect(keys([0x01, 0x0C, 0x1A]) == [.control("a"), .control("l"), .control("z")])
        #expect(
            keys([0x09, 0x0A, 0x0D, 0x08, 0x7F]) == [.tab, .enter, .enter, .backspace, .backspace])
        #expect(keys([0x00, 0x1C, 0x1D, 0x1E, 0x1F]) == [])
    }

    @Test func textIsUTF8() {
        #expect(keys("é磁🙂") == [.character("é"), .character("磁"), .character("🙂")])
        #expect(keys(Array("é".utf8), isUTF8: false) == [])
        #expect(keys("\u{9B}\u{202E}\u{301}") == [])  // a control, an override, a mark alone
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80, 0x80, 0x80],
            [0xE7, 0xA3],
        ] as [[UInt8]])
    func bytesThatAreNoTextAreDropped(bytes: [UInt8]) {
        #expect(keys(bytes + Array("q".utf8)) == [.character("q")])
    }

    @Test func aCharacterMayComeInTwoParts() {
        var decoder = KeyDecoder(isUTF8: true)
        #expect(decoder.decode([.byte(0xE7), .byte(0xA3)]) == [])
        #expect(decoder.decode([.byte(0x81), .byte(0x78)]) == [.character("磁"), .character("x")])
    }

    @Test func escapeAndADigitIsAFunctionKey() {
        for digit in 1...9 { #expect(keys("\u{1B}\(digit)") == [.function(digit)]) }
        #expect(keys("\u{1B}0q") == [.function(10), .character("q")])
    }

    @Test func escapeAloneAndBeforeOtherKeys() {
        #expect(keys("\u{1B}") == [.escape])
        #expect(keys("\u{1B}\u{1B}") == [.escape, .escape])
        #expect(keys("\u{1B}q") == [.escape, .character("q")])
        #expect(keys("\u{1B}[") == [.escape, .character("[")])
        #expect(keys("\u{1B}]") == [.escape, .character("]")])
        #expect(keys("\u{1B}O") == [.escape, .character("O")])
    }

    @Test(
        arguments: [
            ("[A", .up), ("OB", .down), ("[C", .right), ("OD", .left), ("[H", .home), ("OF", .end),
            ("[1~", .home), ("[7~", .home), ("[2~", .insert), ("[3~", .delete), ("[4~", .end),
            ("[8~", .end), ("[5~", .pageUp), ("[6~", .pageDown), ("[Z", .backTab),
            ("OP", .function(1)), ("OS", .function(4)), ("[11~", .function(1)),
            ("[15~", .function(5)), ("[17~", .function(6)), ("[21~", .function(10)),
            ("[23~", .function(11)), ("[24~", .function(12)), ("[1;5A", .up), ("[5;2~", .pageUp),
        ] as [(String, Key)])
    func sequencesTerminfoDidNotKnow(sequence: String, key: Key) {
        #expect(keys("\u{1B}" + sequence + "x") == [key, .character("x")])
    }

    @Test(arguments: [
        "[99~", "[200~", "[?1;2c", "[<0;5;6M", "[M !!", "[[A", "[1;2;3;4;5y", "[I",
        "[99999999999999999999999999~", "]11;rgb:0/0/0\u{7}", "]0;t\u{1B}\\", "P1+r\u{1B}\\",
        "_x\u{7}", "[12", "O5",
    ])
    func unknownSequencesAreDropped(sequence: String) {
        #expect(keys("\u{1B}" + sequence) == [])
    }

    @Test func aBrokenSequenceEndsAtTheNextEscape() {
        #expect(keys("\u{1B}[1;\u{1B}[A") == [.up])
    }

    @Test func keysTheLibraryKnowsPassThrough() {
        var decoder = KeyDecoder(isUTF8: true)
        let click = Key.mouse(row: 1, column: 2, wheel: 0)
        #expect(
            decoder.decode([.key(.up), .unknown, .byte(0x71), .byte(0x1B), .key(click)])
                == [.up, .character("q"), .escape, click])
    }

    @Test func anyInputIsSurvived() {
        var state: UInt64 = 1
        let odd: [UInt8] = [0x1B, 0x5B, 0x4F, 0x5D, 0x4D, 0x07, 0x5C, 0x30, 0xC3, 0xFF]
        for _ in 0..<2000 {
            var bytes: [UInt8] = []
            for _ in 0..<12 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let place = Int(state >> 33)
                bytes.append(place % 3 == 0 ? UInt8(place >> 8 & 0xFF) : odd[place % odd.count])
            }
            #expect(keys(bytes).count <= bytes.count)
        }
    }
}
