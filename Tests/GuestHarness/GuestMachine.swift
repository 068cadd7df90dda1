/// The virtual machine a test wants.
public struct GuestMachine: Sendable {
    /// As `query-name` tells it.
    public var name = "vblktop-test"
    public var disks: [GuestDisk] = []
    /// IOThreads by id; those that disks name must be here.
    public var iothreads: [String] = []
    /// Monitors for the program under test, as `-qmp unix:…`; the test's own comes besides.
    public var monitors = 1
    public var processors = 1
    public var mebibytes = 512
    /// `tcg`, which emulates and works everywhere, or `kvm`.
    public var accelerator = "tcg,thread=multi"
    /// Whether QEMU names its threads.
    public var namesThreads = true
    /// Whether it waits for `cont` before it boots.
    public var startsPaused = false
    /// Further arguments of QEMU.
    public var arguments: [String] = []

    public init() {}

    /// A machine of as many equal disks, `disk0` and so on.
    public init(
        disks count: Int, backend: GuestDisk.Backend = .null, iothreads: IOThreads = .none
    ) {
        switch iothreads {
        case .none: break
        case .shared: self.iothreads = ["io0"]
        case .perDisk: self.iothreads = (0..<count).map { "io\($0)" }
        }
        disks = (0..<count).map { index in
            let iothread: String? =
                switch iothreads {
                case .none: nil
                case .shared: "io0"
                case .perDisk: "io\(index)"
                }
            return GuestDisk("disk\(index)", backend: backend, iothread: iothread)
        }
    }

    public enum IOThreads: Sendable { case none, shared, perDisk }

    /// QEMU and its arguments.
    ///
    /// - Parameters:
    ///   - image: kernel and initramfs.
    ///   - folder: of the disks' files, the console and the monitors.
    ///   - controlDescriptor: on which QEMU finds the listening socket of the test's own monitor.
    func command(image: GuestImage, folder: String, controlDescriptor: Int) -> [String] {
        var words = [GuestImage.qemu, "-nodefaults", "-no-user-config", "-display", "none"]
        words += ["-name", "guest=\(name),debug-threads=\(namesThreads ? "on" : "off")"]
        words += ["-machine", "pc", "-accel", accelerator, "-smp", topology]
        words += ["-m", String(mebibytes)]
        // mitigations=off: an emulated processor leaks nothing, and goes faster without.
        let kernelCommand =
            "console=ttyS0 panic=-1 mitigations=off random.trust_cpu=on "
            + "GUEST_DISKS=\(disks.count) GUEST_MODULES=\(modules.joined(separator: ","))"
        words += ["-kernel", image.kernel, "-initrd", image.initramfs, "-append", kernelCommand]
        words += ["-chardev", "file,id=console,path=\(folder)/console"]
        words += ["-serial", "chardev:console"]
        words += [
            "-chardev", "stdio,id=conversation,signal=off", "-serial", "chardev:conversation",
        ]
        words += ["-chardev", "socket,id=control,fd=\(controlDescriptor),server=on,wait=off"]
        words += ["-mon", "chardev=control,mode=control"]
        for index in 0..<monitors {
            words += ["-qmp", "unix:\(folder)/qmp\(index),server=on,wait=off"]
        }
        if startsPaused { words.append("-S") }
        for iothread in iothreads { words += ["-object", "iothread,id=\(iothread)"] }
        return words + diskArguments(folder: folder) + arguments
    }

    /// Room for a second processor where there is one. QEMU before 8.1 leaves memory barriers out
    /// of the code it makes for a machine that can have one only, as if no IOThread ran beside it:
    /// the guest's last look at the used ring may then come before its wish to be told, and a disk
    /// is silent for ever ("tcg: Do not elide memory barriers for !CF_PARALLEL in system mode").
    private var topology: String { processors == 1 ? "1,maxcpus=2" : String(processors) }

    /// Drivers besides virtio-blk.
    private var modules: [String] {
        let buses = disks.map(\.bus)
        return (buses.contains(.scsi) ? ["virtio_scsi", "sd_mod"] : [])
            + (buses.contains(.ide) ? ["ata_piix", "sd_mod"] : [])
    }

    /// A slot for each virtio disk as long as there are slots, which is what plugging needs; eight
    /// functions in a slot when there are more disks. Slots from 3 on are free in this machine.
    private func diskArguments(folder: String) -> [String] {
        let functions = disks.count { $0.isFunction } > 20 ? 8 : 1
        var words: [String] = []
        var virtioCount = 0
        var ideCount = 0
        var hasAdapter = false
        for disk in disks {
            words += disk.backendArguments(folder: folder)
            let iothread = disk.iothread.map { ",iothread=\($0)" } ?? ""
            switch disk.bus {
            case .virtio, .vhostUser:
                let slot = String(3 + virtioCount / functions, radix: 16)
                let address =
                    functions == 1
                    ? "addr=\(slot)" : "multifunction=on,addr=\(slot).\(virtioCount % functions)"
                virtioCount += 1
                words += disk.deviceArguments(
                    driver: disk.bus == .virtio ? "virtio-blk-pci" : "vhost-user-blk-pci",
                    position: "bus=pci.0,\(address)\(iothread)")
            case .scsi:
                if !hasAdapter {
                    words += ["-device", "virtio-scsi-pci,id=scsi-adapter,addr=2\(iothread)"]
                    hasAdapter = true
                }
                words += disk.deviceArguments(driver: "scsi-hd", position: "bus=scsi-adapter.0")
            case .ide:
                words += disk.deviceArguments(
                    driver: "ide-hd", position: "bus=ide.\(ideCount / 2),unit=\(ideCount % 2)")
                ideCount += 1
            }
        }
        return words
    }
}
