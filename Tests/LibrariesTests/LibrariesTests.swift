import Libraries
import Testing

@Test func crcIsTheOneOfRFC3720() {
    // RFC 3720 B.4: 32 bytes of zeroes, of ones, ascending, and the usual check value.
    #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(crc32c([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(crc32c((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(crc32c(Array("123456789".utf8)) == 0xE306_9283)
    let text = Array("123456789".utf8)
    #expect(crc32c(text[4...], seed: crc32c(text[..<4])) == 0xE306_9283)
    #expect(crc32c([UInt8]()) == 0)
}

@Test func zstdGivesBackWhatItTook() throws {
    var compressor = try ZstdCompressor(level: 3)
    var decompressor = try ZstdDecompressor()
    for count in [0, 1, 100, 100_000] {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let packed = try compressor.compress(bytes)
        let plain = try decompressor.decompress(packed[...], count: count)
        #expect(plain == bytes)
    }
}

@Test func zstdRefusesWhatIsBrokenOrOfAnotherLength() throws {
    var compressor = try ZstdCompressor(level: 1)
    var decompressor = try ZstdDecompressor()
    let packed = try compressor.compress(Array("a text that says something".utf8))
    for count in [0, 5, 25, 27, 1000] {
        do throws(LibraryError) {
            _ = try decompressor.decompress(packed[...], count: count)
            Issue.record("\(count) bytes came out of 26")
        } catch { #expect(error.library == "zstd") }
    }
    do throws(LibraryError) {
        _ = try decompressor.decompress([1, 2, 3][...], count: 3)
        Issue.record("three bytes are no frame")
    } catch { #expect(error.library == "zstd") }
}

/// `echo hello | gzip -n`
private let hello: [UInt8] = [
    0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0xE7, 2, 0, 0x20, 0x30, 0x3A,
    0x36, 6, 0, 0, 0,
]

@Test func gzipIsUnpackedInPiecesOfAnySize() throws {
    for size in [1, 3, 100] {
        let reader = try GzipReader()
        let bytes = hello + hello
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            try reader.take(bytes[start..<min(bytes.count, start + size)]) { text += $0 }
        }
        try reader.finish()
        #expect(String(decoding: text, as: UTF8.self) == "hello\nhello\n")
    }
}

@Test func gzipSaysWhatIsWrong() throws {
    let cut = try GzipReader()
    try cut.take(hello[..<20]) { _ in }
    #expect(throws: LibraryError.self) { try cut.finish() }
    let broken = try GzipReader()
    var bytes = hello
    bytes[14] ^= 0xFF
    #expect(throws: LibraryError.self) {
        try broken.take(bytes[...]) { _ in }
        try broken.finish()
    }
    #expect(throws: LibraryError.self) { try GzipReader().take([1, 2, 3][...]) { _ in } }
}

@Test func sqliteKeepsAndSelects() throws {
    let database = try SQLiteDatabase()
    try database.execute("CREATE TABLE t (name TEXT, n INTEGER, x REAL)")
    let insert = try database.prepare("INSERT INTO t VALUES (?, ?, ?)")
    try insert.run([.text("a'b\u{0}c"), .integer(-5), .real(0.5)])
    try insert.run([.null, .integer(.max), .null])
    let select = try database.prepare("SELECT n, x, name FROM t ORDER BY n;")
    #expect(select.columns == ["n", "x", "name"])
    var rows: [[SQLiteValue]] = []
    try select.run { rows.append($0) }
    #expect(rows.count == 2)
    #expect(rows[0][0] == .integer(-5) && rows[0][1] == .real(0.5))
    #expect(rows[1] == [.integer(.max), .null, .null])
}

@Test func aUsersStatementChangesNothing() throws {
    let database = try SQLiteDatabase()
    try database.execute("CREATE TABLE t (n INTEGER)")
    try database.makeReadOnly()
    #expect(throws: LibraryError.self) { try database.execute("DELETE FROM t") }
    #expect(throws: LibraryError.self) {
        try database.execute("ATTACH '/dev/null' AS other")
    }
    #expect(throws: LibraryError.self) { _ = try database.prepare("SELECT 1; SELECT 2") }
    #expect(throws: LibraryError.self) { _ = try database.prepare("SELECT nothing FROM t") }
    #expect(throws: LibraryError.self) { _ = try database.prepare("  ") }
}
