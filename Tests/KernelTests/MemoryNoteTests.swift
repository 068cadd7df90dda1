import Glibc
import Kernel
import SystemPackage
import Testing

@Suite("A note in memory is found by its name")
struct MemoryNoteTests {
    private let pid = Int(getpid())

    /// Where this process has the note called `name` open.
    private func path(of name: String) throws -> String {
        let folder = "/proc/self/fd"
        for entry in try directoryEntries(folder) {
            let path = folder + "/" + entry
            if (try? linkTarget(path)) == "/memfd:\(name) (deleted)" { return path }
        }
        return ""
    }

    @Test("It says what it was given, unless that is too long, and goes with its owner")
    func found() throws {
        let name = "vblktop-test-note"
        let text = String(repeating: "so viel stand da, ä\n", count: 1000)
        do {
            let note = try MemoryNote(name, text)
            #expect(try MemoryNote.read(name, ofProcess: pid, limit: 1 << 20) == text)
            #expect(throws: KernelError.self) {
                _ = try MemoryNote.read(name, ofProcess: pid, limit: 7)
            }
            #expect(try MemoryNote.read(name + "x", ofProcess: pid, limit: 8) == nil)
            withExtendedLifetime(note) {}
        }
        #expect(try MemoryNote.read(name, ofProcess: pid, limit: 8) == nil)
    }

    @Test("Nobody can change it")
    func sealed() throws {
        let name = "vblktop-test-sealed"
        let note = try MemoryNote(name, "words")
        let path = try path(of: name)
        let file = unsafe open(path, O_RDWR | O_CLOEXEC)
        try #require(file >= 0)
        defer { close(file) }
        #expect(unsafe write(file, "x", 1) == -1)
        #expect(ftruncate(file, 0) == -1)
        #expect(ftruncate(file, 100) == -1)
        // Nor add further seals.
        #expect(fcntl(file, 1033, CInt(16)) == -1)
        #expect(try MemoryNote.read(name, ofProcess: pid, limit: 100) == "words")
        withExtendedLifetime(note) {}
    }

    @Test("A process that cannot be looked at is an error, not one without a note")
    func unreadable() {
        #expect(throws: KernelError.self) {
            _ = try MemoryNote.read("vblktop-rings", ofProcess: 0x3F_FFFF, limit: 8)
        }
    }
}
