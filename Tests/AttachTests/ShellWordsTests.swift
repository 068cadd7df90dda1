import Testing

@testable import Attach

@Suite("Commands as a shell reads them")
struct ShellWordsTests {
    @Test(
        arguments: [
            ("a b  c", [["a", "b", "c"]]),
            ("a 'b c' \"d 'e'\" f\\ g", [["a", "b c", "d 'e'", "f g"]]),
            ("a\"b\"'c'd", [["abcd"]]),
            ("a '' \"\"", [["a", "", ""]]),
            ("\"a\\\"b\\\\ \\n $x\"", [["a\"b\\ \\n $x"]]),
            ("'a\\'", [["a\\"]]),
            ("a \\\n b \\\r\n c", [["a", "b", "c"]]),
            ("a\nb", [["a"], ["b"]]),
            ("a\n   -b c\n\n-d", [["a", "-b", "c", "-d"]]),
            ("# a 'comment\na b#c # d", [["a", "b#c"]]),
            ("a; b && c | d & e", [["a"], ["b"], ["c"], ["d"], ["e"]]),
            ("a >'/dev/null' 2>&1 b < in", [["a", "b"]]),
            ("a 12 >x b", [["a", "12", "b"]]),
            ("äö \u{1F4BE}", [["äö", "\u{1F4BE}"]]),
            ("", []), (" \n\t#", []),
        ] as [(String, [[String]])])
    func words(text: String, commands: [[String]]) throws {
        #expect(try ShellWords(text).commands == commands)
    }

    @Test(arguments: [("a 'b", 1), ("a\nb \"c\nd", 2), ("a >'b", 1), ("a \"b\\\"", 1)])
    func aQuotationWithoutEnd(text: String, line: Int) {
        let error = #expect(throws: ConfigurationError.self) { try ShellWords(text) }
        #expect(error?.line == line)
    }

    /// Linear in its length: a command line of a megabyte takes no time to speak of.
    @Test func aMegabyte() throws {
        let commands = try ShellWords(String(repeating: "-x 'y' \\\n", count: 120_000)).commands
        #expect(commands.map(\.count) == [240_000])
    }
}
