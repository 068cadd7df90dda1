import Testing

@testable import QMP

struct JSONTests {
    private func value(_ text: String) throws -> JSONValue {
        try JSONDocument(Array(text.utf8)).root
    }

    @Test func readsMembersWhereverTheyStand() throws {
        let root = try value(#" {"a" : {"b":[1,{"c":[]},"x"],"":0} , "d\u0065":true,"a":2} "#)
        #expect(root["a"]?["b"]?.items.map { $0.partCount } == [1, 3, 1])
        #expect(root["a"]?[""]?.uint64 == 0)
        #expect(root["de"]?.bool == true)
        #expect(root["b"] == nil && root["a"]?["b"]?["c"] == nil)
        #expect(root.members.map { $0.key.text } == ["a", "de", "a"])
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "[,1]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{1:2}",
        "[1 2]", "[1}", #"{"a":1]"#, "tru", "nul", "truex", #"""#, #"["\""#, "{}{}", "[]]", "'a'",
        #"{"a" 1}"#, "[tru", "\u{0}", #"{"a":1,"b"#,
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect(throws: JSONError.self) { try value(text) }
    }

    @Test func depthHasALimitAndNoRecursion() throws {
        let depth = JSONIndexer.depthLimit
        func nested(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        _ = try value(nested(depth))
        #expect(throws: JSONError.tooDeep) { try value(nested(depth + 1)) }
        #expect(throws: JSONError.tooDeep) { try value(nested(1_000_000)) }
    }

    @Test func numbersAreExactOrMissing() throws {
        func uint64(_ text: String) throws -> UInt64? { try value(text).uint64 }
        #expect(try uint64("18446744073709551615") == .max)
        #expect(try uint64("18446744073709551616") == nil)
        #expect(try uint64(String(repeating: "9", count: 1000)) == nil)
        for text in ["-1", "1.0", "1e3", "-", "+", "1-2", "e", "--1"] {
            #expect(try uint64(text) == nil, "\(text)")
        }
        #expect(try value("-9223372036854775808").int64 == .min)
        #expect(try value("9223372036854775808").int64 == nil)
        #expect(try value("-1.5e3").double == -1500)
        #expect(try value("1e999").double == nil)
        #expect(try value(String(repeating: "1", count: 1000)).double == nil)
        #expect(try value("true").uint64 == nil && value("1").bool == nil)
    }

    @Test func textIsRepairedAndHarmless() throws {
        func text(_ bytes: [UInt8]) throws -> String? {
            try JSONDocument([UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]).root.text
        }
        func text(_ string: String) throws -> String? { try text(Array(string.utf8)) }
        #expect(try text(#"a\"\\\/é\u00e9\ud83d\ude00"#) == "a\"\\/éé😀")
        #expect(try text(#"\ud83d"#) == "\u{FFFD}")
        #expect(try text(#"\ude00\ud83dx"#) == "\u{FFFD}\u{FFFD}x")
        #expect(try text(#"\q\u12"#) == "\u{FFFD}\u{FFFD}12")
        #expect(try text(#"\u001b[2J\n\u202e"#) == "\u{FFFD}[2J\u{FFFD}\u{FFFD}")
        #expect(try text([0x61, 0xFF, 0x07, 0x62]) == "a\u{FFFD}\u{FFFD}b")
    }

    @Test func writesWhatItReads() throws {
        for text in ["", "a\"b\\c", "\u{0}\u{1F}\n\u{7F}", "é😀/"] {
            let quoted = JSONEscapes.quoted(text)
            #expect(quoted.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
            let inside = Array(quoted.utf8.dropFirst().dropLast())
            #expect(JSONEscapes.resolve(inside[...]) == text)
        }
    }

    @Test func valuesOfNoKnownTypeKeepTheirs() throws {
        let text = #"{"a":[null,true,-3,18446744073709551615,1.5,"x"]}"#
        let value = try QMPValue(parsing: Array(text.utf8))
        #expect(
            value["a"]?.items == [
                .null, .bool(true), .integer(-3), .unsigned(.max), .number(1.5), .text("x"),
            ])
        let many = "[" + String(repeating: "0,", count: QMPValue.limit) + "0]"
        #expect(throws: QMPError.self) { try QMPValue(parsing: Array(many.utf8)) }
        #expect(throws: QMPError.self) { try QMPValue(parsing: Array("[1-2]".utf8)) }
        #expect(throws: QMPError.self) { try QMPValue(parsing: []) }
    }
}
