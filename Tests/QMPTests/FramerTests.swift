import Testing

@testable import QMP

/// The same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

struct FramerTests {
    /// Feeds `bytes` in pieces of random length.
    private func frame(
        _ bytes: [UInt8], limit: Int = 1 << 20, seed: UInt64
    ) -> (messages: [[UInt8]], failure: QMPError?) {
        var random = SeededGenerator(seed: seed)
        var framer = MessageFramer(limit: limit)
        var messages: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(
                Int.random(in: 1...[1, 7, 64, 5000].randomElement(using: &random)!, using: &random))
            messages += framer.append(piece)
            rest = rest.dropFirst(piece.count)
        }
        return (messages, framer.failure)
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func messagesDoNotDependOnHowTheyArrive(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var sent: [String] = []
        var stream = ""
        for _ in 0..<50 {
            let message = Self.json(&random, depth: 4, inObject: true)
            sent.append(message)
            stream += message + ["\r\n", "", "\n\n  \t"].randomElement(using: &random)!
        }
        let result = frame(Array(stream.utf8), seed: seed)
        #expect(result.messages == sent.map { Array($0.utf8) }, "seed \(seed)")
        #expect(result.failure == nil)
        #expect(throws: Never.self, "seed \(seed)") {
            for message in result.messages { _ = try JSONDocument(message) }
        }
    }

    /// An object with all that makes the end of a message hard to see.
    private static func json(
        _ random: inout SeededGenerator, depth: Int, inObject: Bool
    ) -> String {
        let texts = [#""""#, #""}{][""#, #""\"}""#, #""\\""#, #""\u007b é \\\"""#, #""a b""#]
        let blank = ["", " ", "\r\n    "].randomElement(using: &random)!
        func text() -> String { texts.randomElement(using: &random)! }
        func value() -> String {
            if depth > 0, Bool.random(using: &random) {
                return json(&random, depth: depth - 1, inObject: Bool.random(using: &random))
            }
            return ["0", "-1.5e3", "true", "null", text()].randomElement(using: &random)!
        }
        let parts = (0..<Int.random(in: 0...4, using: &random)).map { _ in
            inObject ? text() + blank + ":" + blank + value() : value()
        }
        let inside = blank + parts.joined(separator: "," + blank) + blank
        return inObject ? "{" + inside + "}" : "[" + inside + "]"
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func whatIsNoMessageEndsTheStream(seed: UInt64) {
        let bytes = Array("{\"a\":1}\r\n QEMU 7.2.22 monitor\r\n{}".utf8)
        let result = frame(bytes, seed: seed)
        #expect(result.messages == [Array("{\"a\":1}".utf8)])
        guard case .notQMP(let sent) = result.failure else {
            Issue.record("\(String(describing: result.failure))")
            return
        }
        #expect(sent.hasPrefix("Q"))
    }

    @Test func junkIsShownWithoutWhatATerminalObeys() {
        var framer = MessageFramer()
        #expect(framer.append(Array("\u{1B}[2Jlogin:\r\n".utf8)[...]).isEmpty)
        #expect(framer.failure == .notQMP(sent: ".[2Jlogin:.."))
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func aMessageMayBeAsLongAsTheLimitAndNotLonger(seed: UInt64) {
        let longest = Array(("{\"a\":\"" + String(repeating: "x", count: 92) + "\"}").utf8)
        #expect(longest.count == 100)
        let fits = frame(longest + longest, limit: 100, seed: seed)
        #expect(fits.messages.count == 2 && fits.failure == nil)
        let one = frame(longest + longest, limit: 99, seed: seed)
        #expect(one.messages.isEmpty && one.failure == .tooLong(limit: 99))
    }

    @Test func aMessageWithoutEndIsGivenUp() {
        var framer = MessageFramer(limit: 1000)
        let piece = Array(repeating: UInt8(ascii: "["), count: 300)
        for _ in 0..<3 { #expect(framer.append(piece[...]).isEmpty && framer.failure == nil) }
        #expect(framer.append(piece[...]).isEmpty)
        #expect(framer.failure == .tooLong(limit: 1000))
        #expect(framer.append(Array("{}".utf8)[...]).isEmpty)
    }

    /// Would not end if each byte cost a look at those before it.
    @Test func aLongMessageMayComeByteByByte() {
        var framer = MessageFramer()
        var messages: [[UInt8]] = []
        let long = Array(("{\"a\":\"" + String(repeating: "}", count: 1 << 20) + "\"}").utf8)
        for index in long.indices { messages += framer.append(long[index...index]) }
        #expect(messages == [long])
    }
}
