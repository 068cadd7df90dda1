import Telemetry
import Testing

@testable import Attach

@Suite("A domain before libvirt starts it")
struct ConfiguredDomainTests {
    private static let lun = Scope.lun("virtio-disk0")
    private static let ends =
        "<source file='/a.img'/><target dev='vda' bus='virtio'/>"

    // MARK: Attributes of a disk

    @Test(
        arguments: [
            ("cache='none'", .isDirect, true, "driver@cache"),
            ("cache='directsync'", .isWriteback, false, "driver@cache"),
            ("cache='writethrough'", .writeCacheProperty, "off", "driver@cache"),
            ("cache='unsafe'", .ignoresFlushes, true, "driver@cache"),
            ("cache='default'", .cacheIsGiven, false, "driver"),
            ("io='native'", .aioIsGiven, true, "driver"),
            ("discard='unmap'", .discardOption, "unmap", "driver@discard"),
            ("detect_zeroes='on'", .detectZeroes, "on", "driver@detect_zeroes"),
            ("copy_on_read='on'", .copiesOnRead, true, "driver@copy_on_read"),
            ("ioeventfd='off'", .ioeventfd, false, "driver@ioeventfd"),
            ("event_idx='off'", .eventIndex, false, "driver@event_idx"),
            ("packed='on'", .packed, true, "driver@packed"),
            ("error_policy='ignore'", .werror, "ignore", "driver@error_policy"),
            ("error_policy='stop'", .rerror, "stop", "driver@error_policy"),
            ("error_policy='enospace'", .werror, "enospc", "driver@error_policy"),
            ("rerror_policy='report'", .rerror, "report", "driver@rerror_policy"),
            ("type='raw'", .backingDepth, 0, "driver@type"),
        ] as [(String, FactName, FactValue, String)])
    func driverAttributes(
        attribute: String, name: FactName, value: FactValue, place: String
    ) throws {
        let sample = try ConfiguredVM.disk("<driver name='qemu' \(attribute)/>" + Self.ends)
        let fact = try #require(sample.fact(name, Self.lun))
        #expect(fact.value == value)
        #expect(fact.source == "domain XML disk vda " + place)
    }

    @Test(
        arguments: [
            ("<readonly/>", .isReadOnly, true, "readonly"),
            (
                "<blockio physical_block_size='4096'/>", .guestPhysicalBlock, 4096,
                "blockio@physical_block_size"
            ),
            (
                "<address type='pci' bus='0x02' slot='0x01' function='0x3' multifunction='on'/>",
                .multifunction, true, "address"
            ),
            ("", .scsiPassthrough, false, "@device"), ("", .isDevice, false, "source"),
        ] as [(String, FactName, FactValue, String)])
    func elements(text: String, name: FactName, value: FactValue, place: String) throws {
        let sample = try ConfiguredVM.disk(text + Self.ends)
        let fact = try #require(sample.fact(name, Self.lun))
        #expect(fact.value == value)
        #expect(fact.source == "domain XML disk vda " + place)
    }

    @Test func whatNobodySays() throws {
        let sample = try ConfiguredVM.disk(Self.ends)
        let lun = try #require(sample.luns.first)
        #expect(lun.format == "raw" && lun.cache == "writeback" && lun.aio == "threads")
        #expect(sample.fact(.eventIndex, Self.lun)?.source == "default of pc-q35-9.2")
        #expect(sample.value(.hotpluggable, Self.lun) == nil)
        #expect(
            sample.fact(.backingDepth, Self.lun)?.source.contains("without driver@type") == true)
    }

    @Test(
        arguments: [
            ("vda", "virtio", "virtio-disk0"), ("vdb", nil, "virtio-disk1"),
            ("vdaa", nil, "virtio-disk26"),
            ("sdc", "scsi", "scsi0-0-0-2"), ("sda", "sata", "sata0-0-0"), ("hdb", nil, "ide0-0-1"),
            ("sdd", "usb", "usb-disk3"), ("v1", "virtio", "virtio-disk0"),
            ("vdzzzzzz", "virtio", "virtio-disk0"),
        ] as [(String, String?, String)])
    func aliases(target: String, bus: String?, id: String) throws {
        let bus = bus.map { " bus='\($0)'" } ?? ""
        let sample = try ConfiguredVM.disk("<source file='/a'/><target dev='\(target)'\(bus)/>")
        #expect(sample.luns.map(\.id) == [id])
    }

    @Test(arguments: [
        ("block", "dev='/dev/vg/a'", ["raw", "host_device"], "/dev/vg/a"),
        ("network", "protocol='rbd' name='pool/a'", ["raw", "rbd"], "rbd:pool/a"),
        ("volume", "pool='p' volume='v'", ["raw", "file"], "p/v"),
        ("nvme", "type='pci' namespace='1'", ["raw", "nvme"], "nvme:1"),
        (
            "vhostvdpa", "dev='/dev/vhost-vdpa-0'", ["raw", "virtio-blk-vhost-vdpa"],
            "virtio-blk-vhost-vdpa:/dev/vhost-vdpa-0"
        ),
    ])
    func kindsOfStorage(type: String, source: String, drivers: [String], file: String) throws {
        let sample = try ConfiguredVM.domain(
            "<devices><disk type='\(type)'><source \(source)/><target dev='vda'/></disk></devices>")
        let lun = try #require(sample.luns.first)
        #expect(lun.graph.map(\.driver) == drivers && lun.file == file)
        // What a volume is depends on its pool.
        let isDevice = type == "volume" ? nil : FactValue.flag(type == "block")
        #expect(sample.value(.isDevice, Self.lun) == isDevice)
    }

    @Test func vhostUser() throws {
        let sample = try ConfiguredVM.domain(
            "<vcpu>4</vcpu><os><type machine='q35'/></os><devices><disk type='vhostuser'>"
                + "<driver queues='2'/><source type='unix' path='/s'/><target dev='vda'/>"
                + "</disk></devices>")
        let lun = try #require(sample.luns.first)
        #expect(lun.device == "vhost-user-blk-pci" && lun.queues == 2 && lun.queueSize == 128)
        #expect(lun.isOnMainLoop == false && sample.fact(.isDirect, Self.lun) == nil)
        #expect(sample.value(.memoryIsShared) == false)
    }

    @Test func removableMediaAreNoLUNs() throws {
        for device in ["cdrom", "floppy"] {
            let sample = try ConfiguredVM.domain(
                "<devices><disk type='file' device='\(device)'>"
                    + "<target dev='sda' bus='sata'/></disk></devices>"
            )
            #expect(sample.luns.isEmpty)
        }
    }

    // MARK: The VM

    @Test(
        arguments: [
            ("<cpu mode='host-passthrough'/>", .cpuModel, "host", "cpu@mode"),
            ("<cpu mode='host-model'/>", .cpuModel, "host-model", "cpu@mode"),
            ("<cpu><model>EPYC</model></cpu>", .cpuModel, "EPYC", "cpu/model"),
            ("", .cpuModel, "qemu64", ": no -cpu, QEMU's default"),
            (
                "<cpu><feature policy='require' name='x2apic'/></cpu>", .cpuX2APIC, true,
                "cpu/feature x2apic"
            ),
            ("<features><apic eoi='off'/></features>", .cpuPVEOI, false, "features/apic@eoi"),
            (
                "<features><ioapic driver='qemu'/></features>", .irqChip, "split",
                "features/ioapic@driver"
            ),
            (
                "<features><hyperv><vapic state='on'/></hyperv></features>", .cpuHyperVAPIC, true,
                "features/hyperv/vapic"
            ),
            (
                "<clock><timer name='hypervclock' present='yes'/></clock>", .cpuHyperVTime, true,
                "clock/timer hypervclock"
            ),
            (
                "<memoryBacking><nosharepages/></memoryBacking>", .memoryMerges, false,
                "memoryBacking/nosharepages"
            ),
            (
                "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
                .memoryIsShared, true, "memoryBacking/access@mode"
            ),
            (
                "<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>",
                .memoryPage, 1_073_741_824, "memoryBacking/hugepages/page@size"
            ), ("<iothreads>2</iothreads>", .ioThreads, ["iothread1", "iothread2"], "iothreads"),
            (
                "<defaultiothread thread_pool_max='8'/>", .workerLimit, 8,
                "defaultiothread@thread_pool_max"
            ),
        ] as [(String, FactName, FactValue, String)])
    func factsOfTheVM(text: String, name: FactName, value: FactValue, place: String) throws {
        let fact = try #require(try ConfiguredVM.domain(text).fact(name))
        #expect(fact.value == value)
        #expect(fact.source == "domain XML" + (place.hasPrefix(":") ? "" : " ") + place)
    }

    @Test func theWordsOfLibvirt() throws {
        let sample = try ConfiguredVM.domain(
            "<vcpu current='2'>8</vcpu><memory unit='MiB'>512</memory>", type: "qemu")
        #expect(sample.value(.isLibvirt) == true && sample.value(.domain) == "d")
        let vm = try #require(sample.vm)
        #expect(vm.vcpus == 2 && vm.memoryBytes == 512 << 20 && vm.accelerator == .tcg)
    }

    // MARK: Whole documents

    @Test func theFoundingConfigurations() throws {
        let old = try ConfiguredVM.sample("domain-2013.xml")
        #expect(old.value(.xDataPlane, Self.lun) == true)
        #expect(old.value(.configWCE, Self.lun) == false)
        #expect(
            old.fact(.configWCE, Self.lun)?.source
                == "domain XML qemu:commandline -set device.virtio-disk0.config-wce=off")
        #expect(old.value(.scsiPassthrough, Self.lun) == false)
        #expect(old.vms.map(\.version) == ["1.4"] && old.luns.map(\.format) == ["raw"])
        #expect(old.luns.map(\.cache) == ["none"] && old.luns.map(\.aio) == ["native"])

        let line = try ConfiguredVM.sample("qemu-kvm-2013.sh")
        #expect(
            line.luns.map(\.id) == ["root", "virtio-disk1_0", "virtio-disk1_1", "virtio-disk2_0"])
        #expect(
            line.luns.map(\.pciAddress) == [nil, "0000:00:05.0", "0000:00:05.1", "0000:00:06.0"])
        #expect(line.luns.map(\.isOnMainLoop) == [true, false, false, false])
        #expect(line.value(.cpuModel) == "qemu64" && line.value(.cpuX2APIC) == true)
        #expect(line.vm?.accelerator == .kvm && line.vm?.vcpus == 40)
        #expect(line.vm?.memoryBytes == 7168 << 20)
    }

    @Test func aGoodDomain() throws {
        let sample = try ConfiguredVM.sample("good.xml")
        #expect(sample.luns.map(\.id) == ["virtio-disk0", "ua-system", "scsi0-0-0-2"])
        #expect(sample.luns.map(\.ioThread) == ["iothread1,iothread2", "iothread4", "iothread4"])
        #expect(sample.luns.map(\.queues) == [8, 8, nil])
        #expect(sample.luns.map(\.queueSize) == [512, 256, nil])
        #expect(sample.luns.map(\.pciAddress) == ["pci.1:00.0", "pci.2:00.0", nil])
        #expect(sample.luns.map(\.cache) == ["none", "none", "writeback"])
        let system = Scope.lun("ua-system")
        #expect(sample.value(.backingDepth, system) == 1)
        #expect(sample.fact(.backingDepth, system)?.source == "domain XML disk vdb backingStore")
        #expect(sample.value(.l2Cache, system) == 67_108_864)
        #expect(sample.value(.hotpluggable, system) == true)
        #expect(sample.value(.ioThreads) == ["iothread1", "iothread2", "iothread4"])
        #expect(sample.value(.pollMax, .ioThread("iothread2")) == 65_536)
        #expect(sample.value(.threadPoolMax, .ioThread("iothread4")) == 16)
        #expect(sample.value(.adapterQueues, .lun("scsi0-0-0-2")) == 8)
        #expect(sample.value(.memoryPage) == 2_097_152 && sample.value(.memoryIsShared) == true)
        #expect(sample.fact(.guestSystem, .guest) == nil)
    }

    @Test func aBadDomain() throws {
        let sample = try ConfiguredVM.sample("bad.xml")
        #expect(
            sample.luns.map(\.device) == [
                "virtio-blk-pci", "virtio-blk-pci", "ide-hd", "scsi-block",
            ])
        #expect(
            sample.luns.map(\.throttle) == [
                nil, "iops-total=1000 iops-total-max=5000 group=drive-virtio-disk1", nil, nil,
            ])
        #expect(sample.luns.map(\.pciAddress) == ["0000:00:05.0", "0000:00:05.1", nil, nil])
        #expect(sample.value(.vectors, .lun("virtio-disk1")) == 0)
        #expect(sample.value(.adapter, .lun("ide0-0-0")) == "piix3-ide")
        #expect(sample.value(.adapter, .lun("scsi0-0-0-0")) == "lsi")
        #expect(sample.value(.guestSystem, .guest) == "mswindows")
        #expect(sample.value(.cpuX2APIC) == false && sample.value(.cpuPVEOI) == false)
    }

    @Test func aDomainThatRuns() throws {
        let text = "<domstatus><domain type='kvm'><name>a</name></domain></domstatus>"
        #expect(try ConfiguredVM(domain: Array(text.utf8)).sample(wallClock: 0).vm?.name == "a")
    }
}
