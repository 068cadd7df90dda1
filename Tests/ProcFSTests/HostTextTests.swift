import ProcFS
import Testing

@Suite struct KeyedNumbersTests {
    @Test func bytesWhereTheFileHasKilobytes() throws {
        let numbers = try parse(
            "MemTotal:       24684092 kB\nActive(anon):       1572 kB\nHugePages_Total:       7\n"
        ) { text throws(ProcFSError) in try KeyedNumbers(text, file: "meminfo") }
        #expect(numbers["MemTotal"] == 24_684_092 * 1024)
        #expect(numbers["Active(anon)"] == 1572 * 1024)
        #expect(numbers["HugePages_Total"] == 7)
        #expect(numbers["MemFree"] == nil)
    }

    @Test func aLineOfTwoWords() throws {
        let numbers = try parse("nr_free_pages 5521779\npswpin 23\n") { text throws(ProcFSError) in
            try KeyedNumbers(text, file: "vmstat")
        }
        #expect(numbers["pswpin"] == 23)
    }

    @Test(arguments: [
        "MemTotal: 24684092", "MemTotal:\n", "MemTotal: 7 MB\n", "MemTotal: many kB\n",
        "MemTotal: 18446744073709551615 kB\n", "MemTotal: 99999999999999999999\n",
    ])
    func whatIsNoSuchFileIsRefused(_ text: String) {
        #expect(complaint(text) { t throws(ProcFSError) in try KeyedNumbers(t, file: "m") } != nil)
    }
}

@Suite struct PressureStallTests {
    private static func some(_ text: String) throws(ProcFSError) -> Double {
        try parse(text) { text throws(ProcFSError) in try PressureStall(text, file: "io").some }
    }

    @Test func theLastTenSeconds() throws {
        let text =
            "some avg10=1.53 avg60=0.07 avg300=0.00 total=193434\n"
            + "full avg10=0.41 avg60=0.02 avg300=0.00 total=94021\n"
        #expect(try Self.some(text) == 1.53)
    }

    @Test(arguments: [
        "", "full avg10=1.00 \n", "some avg10=\n", "some avg10=nan \n", "some avg10=101 \n",
        "some avg60=1.00 \n", "some avg10=1.5",
    ])
    func whatIsNoShareIsRefused(_ text: String) {
        #expect(throws: ProcFSError.self) { try Self.some(text) }
    }
}

@Suite struct SwapTableTests {
    private static let header = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

    @Test func devicesAndFiles() throws {
        let table = try parse(
            Self.header + "/dev/zram0                              partition\t8388604\t0\t100\n"
                + "/srv/swap\\040file\\040(deleted)  file\t\t1048572\t\t4\t\t-2\n",
            SwapTable.init)
        #expect(table.places.map(\.path) == ["/dev/zram0", "/srv/swap file (deleted)"])
        #expect(table.places.map(\.isDevice) == [true, false])
    }

    @Test func noSwapIsAHeaderAlone() throws {
        #expect(try parse(Self.header, SwapTable.init).places.isEmpty)
        #expect(try parse("", SwapTable.init).places.isEmpty)
    }

    @Test func aLineCutShortIsRefused() {
        #expect(complaint(Self.header + "/dev/sda2", SwapTable.init) == "Type")
        #expect(complaint(Self.header + "/dev/sda2 partition 8", SwapTable.init) == "newline")
    }
}

@Suite struct CPUTimesTableTests {
    @Test func everyCPUOfItsOwn() throws {
        let table = try parse(
            """
            cpu  156146 4 12448 101155 545 0 130 45 0 0
            cpu0 100 2 30 400 50 6 7 8 0 0
            cpu12 1 0 0 9 0 0 0 0 0 0
            intr 1055259 0 0
            ctxt 2751233

            """, CPUTimesTable.init)
        #expect(table.cpus.keys.sorted() == [0, 12])
        #expect(table.cpus[0]?.whole == 603)
        #expect(table.cpus[0]?.busy == 153)
        #expect(table.cpus[0]?.interrupts == 13)
    }

    @Test(arguments: [
        "cpu 1\ncpu0 1 2 3\n", "cpu 1\ncpux 1 2 3 4 5 6 7 8\n", "cpu 1\ncpu0 1 2 3 4 5 6 7 8",
        "cpu 1\ncpu0 18446744073709551615 1 3 4 5 6 7 8\n",
    ])
    func whatNoCPUDoesIsRefused(_ text: String) {
        #expect(complaint(text, CPUTimesTable.init) != nil)
    }
}

@Suite struct CPUListTests {
    @Test(arguments: [
        ("", []), ("0", [0]), ("0-3,8", [0, 1, 2, 3, 8]), ("1,3-4", [1, 3, 4]),
    ])
    func rangesAndNumbers(_ text: String, _ numbers: [Int]) {
        #expect(CPUList(text)?.numbers == numbers)
    }

    @Test(arguments: ["x", "3-1", "1-", "-1", "0-9999999999", "2,1", "0-3,2-5", "1-2-3"])
    func whatIsNoListIsRefused(_ text: String) { #expect(CPUList(text) == nil) }
}

@Suite struct ChosenWordTests {
    private static func word(_ text: String) throws(ProcFSError) -> String {
        try parse(text) { text throws(ProcFSError) in try ChosenWord(text, file: "enabled").word }
    }

    @Test func theOneInBrackets() throws {
        #expect(try Self.word("always [madvise] never\n") == "madvise")
        #expect(try Self.word("[always] madvise never\n") == "always")
    }

    @Test(arguments: ["", "always never\n", "[]\n", "[always\n", "always\n[never]\n"])
    func noChoiceIsRefused(_ text: String) {
        #expect(throws: ProcFSError.self) { try Self.word(text) }
    }
}

@Suite struct NFSServerTests {
    @Test func queuedOfAllPools() throws {
        let stats = try parse(
            """
            # pool packets-arrived sockets-enqueued threads-woken threads-timedout
            0 100 20 80 0
            1 50 3 47 0

            """, NFSPoolStats.init)
        #expect(stats.queued == 23)
        #expect(complaint("0 100 20", NFSPoolStats.init) == "sockets-enqueued")
        #expect(complaint("0 100\n", NFSPoolStats.init) == "sockets-enqueued")
    }

    @Test func exportsWithTheirOptions() throws {
        let exports = try parse(
            """
            # Version 1.1
            # Path Client(Flags) # IPs
            /srv/images\t10.0.0.0/24(rw,no_root_squash,sync,wdelay) # 10.0.0.7
            /srv/iso\t*(ro,async)

            """, NFSExports.init)
        #expect(
            exports.lines == [
                "/srv/images 10.0.0.0/24(rw,no_root_squash,sync,wdelay)", "/srv/iso *(ro,async)",
            ])
        #expect(complaint("/srv\n", NFSExports.init) == "client")
    }
}
