import ProcFS
import Testing

@Suite struct GuestTextTests {
    private func words(_ text: String) throws -> WordLine {
        try parse(text) { text throws(ProcFSError) in try WordLine(text, file: "f") }
    }

    @Test func wordsOfALine() throws {
        let line = try words("tsc  kvm-clock acpi_pm \n")
        #expect(line.words == ["tsc", "kvm-clock", "acpi_pm"])
        #expect(line.line == "tsc kvm-clock acpi_pm")
        #expect(line.has("tsc") && !line.has("kvm"))
        #expect(try words("\n").words.isEmpty)
        #expect(try words("a\u{1B}[2J\u{202E} b\n").words == ["a\u{FFFD}[2J\u{FFFD}", "b"])
    }

    @Test func aLineThatIsCutShortIsNone() {
        #expect(throws: ProcFSError.self) { try words("tsc") }
        #expect(throws: ProcFSError.self) { try words("") }
    }

    @Test func parametersOfTheBootLine() throws {
        let line = try words("quiet a=1 virtio-blk.use_bio=0 virtio_blk.use-bio=y root=U=1 b=\n")
        #expect(line.value(ofParameter: "virtio_blk.use_bio") == "y")
        #expect(line.value(ofParameter: "quiet") == "")
        #expect(line.value(ofParameter: "root") == "U=1")
        #expect(line.value(ofParameter: "b") == "")
        #expect(line.value(ofParameter: "c") == nil)
    }

    @Test(arguments: [
        ("Y\n", true), ("N\n", false), ("1\n", true), ("0\n", false), ("2\n", true), ("y\n", true),
        ("on\n", true), ("off\n", false), ("maybe\n", nil), ("1", nil), ("\n", nil), ("-1\n", nil),
    ])
    func switches(text: String, isOn: Bool?) {
        let value = try? parse(text) { text throws(ProcFSError) in
            try KernelSwitch(text, file: "f")
        }
        #expect(value?.isOn == isOn)
    }

    @Test func flagsOfTheFirstCPU() throws {
        let flags = try parse(
            "processor\t: 0\nvmx flags\t: ept\nflags\t\t: fpu x2apic hypervisor\nprocessor\t: 1\n",
            CPUFlags.init)
        #expect(flags.names == ["fpu", "x2apic", "hypervisor"])
    }

    @Test(arguments: ["", "Features\t: fp asimd\n", "flags\t: fpu x2ap"])
    func noFlags(text: String) {
        #expect(complaint(text, CPUFlags.init) == "flags")
    }

    @Test func mountsWithTheirOptions() throws {
        let mounts = try parse(
            """
            proc /proc proc rw,nosuid 0 0
            /dev/vda1 / ext4 rw,discard 0 0
             /mnt tmpfs rw 0 0
            nas:/x /srv/a\\040b nfs4 rw,hard 0 0
            /dev/vdb /evil\u{9B}2J xfs rw 0 0

            """, MountOptions.init
        ).mounts
        #expect(mounts.map(\.source) == ["proc", "/dev/vda1", "", "nas:/x", "/dev/vdb"])
        #expect(
            mounts.map(\.point) == ["/proc", "/", "/mnt", "/srv/a\\040b", "/evil\u{FFFD}2J"])
        #expect(mounts.map(\.type) == ["proc", "ext4", "tmpfs", "nfs4", "xfs"])
        #expect(mounts.map(\.options).prefix(2) == ["rw,nosuid", "rw,discard"])
        #expect(mounts.map(\.isOnDisks) == [false, true, false, true, true])
    }

    @Test(arguments: [
        ("/dev/vda1 / ext4 rw 0 0", "newline"), ("/dev/vda1 / ext4\n", "options"),
        ("/dev/vda1\n", "mount point"), ("\n", "source"),
    ])
    func badMountsNameTheField(text: String, field: String) {
        #expect(complaint(text, MountOptions.init) == field)
    }
}
