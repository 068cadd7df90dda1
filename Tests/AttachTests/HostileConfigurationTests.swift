import Telemetry
import Testing

@testable import Attach

@Suite("Configurations that mean harm, or nothing")
struct HostileConfigurationTests {
    @Test(
        arguments: [
            ("", "no XML document"), ("<domain", "line 1"), ("<domain>\n\n</x>", "line 3"),
            ("<domain/>", "type="), ("<domain type='lxc'/>", "lxc"),
            ("<!--\n-->\n<network/>", "line 3: "),
            ("<domstatus/>", "<domstatus>"), ("qemu-system-x86_64", "no XML document"),
            ("<!DOCTYPE d [<!ENTITY a 'b'>]><domain type='kvm'/>", "document types"),
            (String(repeating: "<a>", count: 100_000), "too many elements"),
        ])
    func noDomain(text: String, words: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try ConfiguredVM(domain: Array(text.utf8))
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func noText() {
        for bytes in [[0xFF, 0xFE, 0, 0], [0], Array("<domain type='\u{7}'/>".utf8)] as [[UInt8]] {
            #expect(throws: ConfigurationError.self) { try ConfiguredVM(domain: bytes) }
        }
    }

    /// Numbers that are none, that are too large, and that are negative.
    @Test(arguments: [
        "x", "", "-1", "0", "1e9", "9223372036854775807", "18446744073709551616", "0x", "1.5",
        "\u{0661}",
    ])
    func numbers(text: String) throws {
        let domain = """
            <vcpu current='#'>#</vcpu><memory unit='TiB'>#</memory><iothreads>#</iothreads>
            <iothreadids>
            <iothread id='#' thread_pool_max='#'><poll max='#'/></iothread>
            </iothreadids>
            <memoryBacking><hugepages><page size='#' unit='#'/></hugepages></memoryBacking>
            <devices><controller type='scsi' index='#'><driver queues='#'/></controller>
            <disk type='file'><driver queues='#' queue_size='#' iothread='#'/><target dev='vd#'/>
            <iotune><total_iops_sec>#</total_iops_sec></iotune>
            <address type='pci' bus='#' slot='#' function='#'/></disk></devices>
            """
        let sample = try ConfiguredVM.domain(domain.replacing("#", with: text))
        #expect(sample.luns.count == 1)
        let options = """
            -smp '#' -m '#' -drive 'id=d,if=none,iops=#,l2-cache-size=#' -M 'pc-q35-#.#' \
            -device 'virtio-blk-pci,drive=d,num-queues=#,queue-size=#,addr=#' \
            -object 'iothread,id=a,poll-max-ns=#'
            """
        let line = try ConfiguredVM.started(options.replacing("#", with: text))
        #expect(line.luns.count == 1)
    }

    /// Options without values, keys and ends; lists that lead back to themselves.
    @Test(arguments: [
        "-device", "-device ,,,= -drive = -blockdev , -object ,",
        "-set a -set a.b -set device.a.b=",
        "-global x -global =y -global driver=", "-cpu '' -machine '' -smp ''",
        "-device '{' -blockdev '[]'",
        "-blockdev driver=raw,node-name=a,file=a -device virtio-blk-pci,drive=a",
        "-device virtio-blk-pci,drive=nothing -device virtio-blk-pci -device scsi-hd,drive=x,bus=.",
        "-drive if=,file= -drive file=: -hda", "-machine type=,accel= -accel ''",
    ])
    func nonsense(options: String) throws {
        _ = try ConfiguredVM.started(options)
    }

    @Test func twoOfOneName() throws {
        let sample = try ConfiguredVM.started(
            "-device virtio-blk-pci,id=a,drive=x,scsi=on "
                + "-device virtio-blk-pci,id=a,drive=y,scsi=off"
        )
        #expect(sample.luns.map(\.id) == ["a", "a#2"])
        #expect(sample.value(.scsiPassthrough, .lun("a")) == true)
        #expect(sample.value(.scsiPassthrough, .lun("a#2")) == false)
    }

    /// What a terminal would obey comes through nowhere.
    @Test func escapes() throws {
        let evil = "\u{1B}[2J\u{202E}"
        let line = try ConfiguredVM(
            arguments: [
                "qemu-system-x86_64", "-name", evil, "-M", evil, "-cpu", evil, "-device",
                "virtio-blk-pci,id=\(evil),drive=d,werror=\(evil),addr=1,bus=\(evil),"
                    + "vectors=\(evil)",
                "-drive", "id=d,if=none,file=\(evil),format=\(evil),cache=\(evil),aio=\(evil)",
                "-object", "iothread,id=\(evil)", "-mem-path", evil, "-device",
                "scsi-hd,id=s,bus=\(evil).0,drive=n", "-device", "\(evil),id=\(evil)", "-blockdev",
                "driver=\(evil),node-name=n,filename=\(evil),throttle-group=\(evil)",
            ]
        ).sample(wallClock: 0)
        // XML has no escape characters, but marks of direction.
        let mark = "\u{202E}"
        let domain = try ConfiguredVM.domain(
            "<os><type machine='\(mark)'/></os><cpu><model>\(mark)</model>"
                + "<feature policy='require' name='\(mark)'/></cpu><devices><disk type='file'>"
                + "<driver type='\(mark)' error_policy='\(mark)'/><source file='\(mark)'/>"
                + "<target dev='\(mark)' bus='virtio'/></disk></devices>")
        for sample in [line, domain] {
            #expect(!sample.luns.isEmpty)
            let texts =
                sample.facts.facts.flatMap { ["\($0)", $0.source, $0.reason ?? ""] }
                + sample.luns.map { "\($0)" } + sample.vms.map { "\($0)" }
            // The description of a value escapes what it holds, unless that was made harmless.
            #expect(!texts.contains { $0.contains("u{1B}") || $0.contains("u{202E}") })
            #expect(!texts.contains { $0.unicodeScalars.contains { $0.isHarmful } })
        }
        #expect(!"\(ConfigurationError("a"))".isEmpty)
        let error = #expect(throws: ConfigurationError.self) {
            try ConfiguredVM.domain("", type: mark)
        }
        #expect(error?.description.contains(mark) == false)
    }

    /// More than any VM has: bounded, and soon done.
    @Test func floods() throws {
        let many = String(repeating: "-device virtio-blk-pci,drive=d -drive id=d ", count: 20_000)
        #expect(try ConfiguredVM.started(many).luns.count <= 2048)
        let words = String(repeating: "a ", count: 500_000)
        #expect(try ConfiguredVM.started(words).luns.count <= 2048)
        #expect(throws: ConfigurationError.self) { try ConfiguredVM(commandLine: words) }
        let option = String(repeating: "file.", count: 150_000)
        let deep =
            "-blockdev node-name=n,driver=raw,\(option)driver=x -device virtio-blk-pci,drive=n"
        #expect(try ConfiguredVM.started(deep).luns.count == 1)
        let disks = String(repeating: "<disk type='file'><target dev='vda'/></disk>", count: 5000)
        #expect(try ConfiguredVM.domain("<devices>\(disks)</devices>").luns.count <= 2048)
        let sample = try ConfiguredVM.domain("<iothreads>99999999</iothreads>")
        guard case .texts(let threads)? = sample.value(.ioThreads) else {
            Issue.record("no IOThreads")
            return
        }
        #expect(threads.count == 1024)
    }
}
