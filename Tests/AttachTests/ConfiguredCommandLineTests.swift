import Telemetry
import Testing

@testable import Attach

@Suite("A command line before it is started")
struct ConfiguredCommandLineTests {
    private static let lun = Scope.lun("vd0")
    private static let disk =
        "-drive id=d0,if=none,file=/dev/vg/a,format=raw -device virtio-blk-pci,id=vd0,drive=d0"

    // MARK: Whom it starts

    @Test(arguments: [
        "qemu-system-x86_64 -name a",
        "LC_ALL=C PATH=/bin QEMU_AUDIO_DRV=none \\\n/usr/bin/kvm -name a",
        "sudo taskset -c 0-3 /usr/libexec/qemu-kvm -name a",
        "cd /vm; ulimit -n 4096\nqemu-kvm -name a &",
        "echo starting && exec qemu-system-aarch64\n  -name guest=a,debug-threads=on",
    ])
    func findsTheProgram(text: String) throws {
        let sample = try ConfiguredVM(commandLine: text).sample(wallClock: 7)
        #expect(sample.vms.map(\.name) == ["a"])
        #expect(sample.value(.domain) == "a")
    }

    @Test(arguments: ["", "ls -l", "virsh start a", "-machine q35", "qemu-img info x"])
    func refusesWhatStartsNone(text: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try ConfiguredVM(commandLine: text)
        }
        #expect(error?.description.contains("qemu-system-") == true)
        #expect(throws: ConfigurationError.self) { try ConfiguredVM(arguments: [text]) }
    }

    @Test func isNoVMYet() throws {
        let sample = try ConfiguredVM.started("-m 2G -smp 2,maxcpus=8 -accel kvm " + Self.disk)
        let vm = try #require(sample.vm)
        #expect(vm.memoryBytes == 2 << 30 && vm.vcpus == 2 && vm.accelerator == .kvm)
        #expect(vm.pid == nil && vm.status == "unknown" && vm.version.isEmpty)
        #expect(sample.source.kind == .configuration && sample.wallClock == 7)
        #expect(sample.interval == nil && sample.total == BlockRates() && sample.threads.isEmpty)
        #expect(sample.facts.subjects.allSatisfy { $0.scope.kind != .host })
        #expect(sample.unavailable.contains { $0.metric == "iops" })
    }

    @Test(
        arguments: [
            ("", .tcg, 1, 128), ("-enable-kvm -smp 4", .kvm, 4, 128),
            ("-machine q35,accel=kvm:tcg -smp sockets=2,cores=4,threads=2", .kvm, 16, 128),
            ("-accel hvf -smp cpus=3 -m size=1G", nil, 3, 1024), ("-smp abc", .tcg, nil, 128),
            ("-smp 0", .tcg, nil, 128),
            ("-smp cores=9223372036854775807,threads=2", .tcg, nil, 128),
            ("-smp maxcpus=6", .tcg, 6, 128), ("-m lots", .tcg, 1, nil),
        ] as [(String, VirtualMachine.Accelerator?, Int?, UInt64?)])
    func theVM(
        options: String, accelerator: VirtualMachine.Accelerator?, vcpus: Int?, mebibytes: UInt64?
    ) throws {
        let vm = try #require(try ConfiguredVM.started(options).vm)
        #expect(vm.accelerator == accelerator && vm.vcpus == vcpus)
        #expect(vm.memoryBytes == mebibytes.map { $0 << 20 })
    }

    // MARK: Facts of the VM

    @Test(
        arguments: [
            ("", .machineType, "pc"), ("-M q35", .machineType, "q35"),
            (
                "-machine pc-q35-7.2,accel=kvm -machine kernel-irqchip=off", .machineType,
                "pc-q35-7.2"
            ),
            ("-M q35", .machineIsDeprecated, false), ("-M pc-q35-6.0", .machineIsDeprecated, nil),
            ("-accel kvm", .irqChip, "on"), ("-accel kvm,kernel-irqchip=split", .irqChip, "split"),
            ("-accel kvm -M pc-q35-4.0", .irqChip, "split"), ("", .irqChip, nil),
            ("-snapshot", .isSnapshot, true), ("-name guest=a", .isLibvirt, false),
            ("-name guest=a -chardev socket,id=charmonitor,path=/m", .isLibvirt, true),
            ("", .cpuModel, "qemu64"), ("-cpu host,migratable=on", .cpuModel, "host"),
            ("-cpu qemu64,+x2apic", .cpuX2APIC, true), ("-cpu host,x2apic=off", .cpuX2APIC, false),
            ("-cpu host,+x2apic,-x2apic", .cpuX2APIC, false), ("-cpu host", .cpuX2APIC, nil),
            ("-accel kvm", .cpuX2APIC, true), ("-accel kvm -M pc-1.4", .cpuX2APIC, nil),
            ("-accel kvm,kernel-irqchip=off", .cpuX2APIC, false), ("-accel kvm", .cpuPVEOI, true),
            ("-accel kvm -cpu host,-kvm_pv_eoi", .cpuPVEOI, false),
            ("-cpu host", .cpuInvariantTSC, nil), ("-cpu EPYC", .cpuInvariantTSC, false),
            ("-cpu kvm32", .cpuLongMode, false), ("-cpu EPYC", .cpuHyperVTime, false),
            ("-cpu host,hv_time", .cpuHyperVTime, true),
            ("-cpu host,hv-passthrough", .cpuHyperVAPIC, true),
            ("-object iothread,id=b -object iothread,id=a,poll-max-ns=0", .ioThreads, ["a", "b"]),
            ("-object main-loop,id=m,thread-pool-max=16", .workerLimit, 16), ("", .workerLimit, 64),
            ("", .passThrough, []), ("-device vfio-pci,host=01:00.0", .passThrough, nil),
            ("", .hasQueueMapping, true), ("-M pc-q35-9.0", .hasQueueMapping, true),
            ("-M pc-q35-8.2", .hasQueueMapping, nil), ("", .memoryIsShared, false),
            ("-object memory-backend-memfd,id=m,size=1G", .memoryIsShared, true),
            ("-object memory-backend-ram,id=m,size=1G", .memoryIsShared, false),
            ("-M q35,mem-merge=off", .memoryMerges, false), ("", .memoryMerges, true),
            ("-object memory-backend-memfd,id=m,merge=off", .memoryMerges, false),
            ("", .memoryPage, 4096), ("-mem-path /hugepages", .memoryPage, nil),
            (
                "-object memory-backend-memfd,id=m,hugetlb=on,hugetlbsize=2M", .memoryPage,
                2_097_152
            ), ("-object memory-backend-file,id=m,mem-path=/dev/hugepages", .memoryPage, nil),
            ("-name a,debug-threads=on", .threadsAreAnonymous, false),
        ] as [(String, FactName, FactValue?)])
    func factsOfTheVM(options: String, name: FactName, value: FactValue?) throws {
        let fact = try #require(try ConfiguredVM.started(options).fact(name))
        #expect(fact.value == value)
        #expect((fact.reason == nil) == (value != nil))
    }

    @Test func polling() throws {
        let sample = try ConfiguredVM.started(
            "-object iothread,id=a,poll-max-ns=0 -object iothread,id=b")
        #expect(sample.value(.pollMax, .ioThread("a")) == 0)
        #expect(sample.value(.pollMax, .ioThread("b")) == 32_768)
    }

    // MARK: Facts of a LUN

    @Test(
        arguments: [
            (",ioeventfd=off", .ioeventfd, false), ("", .ioeventfd, true),
            (",vectors=0", .vectors, 0), (",num-queues=4", .vectors, 5),
            (",scsi=on", .scsiPassthrough, true),
            (",event_idx=no", .eventIndex, false),
            (",indirect_desc=false", .indirectDescriptors, false),
            (",config-wce=off", .configWCE, false), (",packed=on", .packed, true),
            (",werror=ignore,rerror=stop", .werror, "ignore"), ("", .rerror, "auto"),
            (",physical_block_size=4k", .guestPhysicalBlock, 4096), ("", .guestLogicalBlock, 512),
            (",addr=0x5.0x1,multifunction=on", .multifunction, true), ("", .multifunction, false),
            (",ioeventfd=perhaps", .ioeventfd, nil), (",vectors=-1", .vectors, nil),
            (",vectors=99999999999999999999", .vectors, nil),
            (" -global virtio-blk-pci.ioeventfd=off", .ioeventfd, false),
            (" -global driver=virtio-blk-device,property=event_idx,value=off", .eventIndex, false),
            (" -set device.vd0.scsi=on", .scsiPassthrough, true),
            (",bus=nowhere", .hotpluggable, nil), ("", .hotpluggable, true),
            (" -M q35", .hotpluggable, false),
            (",bus=rp0 -M q35 -device pcie-root-port,id=rp0", .hotpluggable, true),
            (",bus=rp0 -M q35 -device pcie-root-port,id=rp0,hotplug=off", .hotpluggable, false),
        ] as [(String, FactName, FactValue?)])
    func factsOfADevice(options: String, name: FactName, value: FactValue?) throws {
        let sample = try ConfiguredVM.started(Self.disk + options)
        let fact = try #require(sample.fact(name, Self.lun))
        #expect(fact.value == value)
        #expect((fact.reason == nil) == (value != nil))
    }

    @Test func whereItStands() throws {
        let sample = try ConfiguredVM.started(
            Self.disk + ",scsi=off -M pc-q35-7.2 -global virtio-blk-pci.packed=on")
        func source(_ name: FactName) -> String? { sample.fact(name, Self.lun)?.source }
        #expect(source(.scsiPassthrough) == "command line -device vd0 scsi=")
        #expect(source(.packed) == "command line -global virtio-blk-pci.packed=")
        #expect(source(.discard) == "default of pc-q35-7.2")
        #expect(source(.isDirect) == "command line: no cache=, QEMU's default")
        #expect(source(.isDevice) == "command line -drive d0 file=")
        #expect(sample.fact(.machineType)?.source == "command line -machine")
    }

    @Test(
        arguments: [
            ("cache=none,aio=native", .isDirect, true), ("", .isDirect, false),
            ("cache=directsync", .isWriteback, false), ("cache.direct=on", .isDirect, true),
            ("", .isWriteback, true), ("cache=unsafe", .ignoresFlushes, true),
            ("cache.no-flush=on", .ignoresFlushes, true), ("readonly=on", .isReadOnly, true),
            ("detect-zeroes=unmap", .detectZeroes, "unmap"),
            ("discard=on", .discardOption, "unmap"),
            ("copy-on-read=on", .copiesOnRead, true), ("aio=native", .aioIsGiven, true),
            ("", .cacheIsGiven, false), ("cache=writethrough", .cacheGiven, "writethrough"),
            ("", .isDevice, true), ("file=/a.raw", .isDevice, nil), ("", .backingDepth, 0),
            ("file=rbd:pool/a", .isDevice, false), ("file.driver=file,file=/a", .isDevice, false),
            ("format=qcow2,l2-cache-size=8M", .l2Cache, 8_388_608), ("format=qcow2", .l2Cache, nil),
        ] as [(String, FactName, FactValue?)])
    func factsOfADrive(options: String, name: FactName, value: FactValue?) throws {
        let sample = try ConfiguredVM.started(
            "-drive id=d0,if=none,file=/dev/vg/a,format=raw,\(options) "
                + "-device virtio-blk-pci,id=vd0,drive=d0")
        let fact = try #require(sample.fact(name, Self.lun))
        #expect(fact.value == value)
        #expect((fact.reason == nil) == (value != nil))
    }

    /// The device decides what the guest may keep.
    @Test(arguments: [
        ("cache=none", "off", "directsync"), ("cache=none", "auto", "none"),
        ("cache=writethrough", "on", "writeback"), ("cache=unsafe", "off", "unsafe"),
    ])
    func theCacheInEffect(drive: String, device: String, word: String) throws {
        let sample = try ConfiguredVM.started(
            "-drive id=d,if=none,file=/a,\(drive) "
                + "-device virtio-blk-pci,drive=d,write-cache=\(device)"
        )
        #expect(sample.luns.map(\.cache) == [word])
    }

    @Test func nodes() throws {
        let sample = try ConfiguredVM.started(
            #"-blockdev '{"driver":"host_device","filename":"/dev/sdb","node-name":"s","#
                + #""aio":"io_uring","cache":{"direct":true,"no-flush":false}}' "#
                + "-blockdev driver=qcow2,node-name=f,file=s,read-only=on "
                + "-blockdev driver=throttle,node-name=t,file=f,throttle-group=g "
                + #"-object '{"qom-type":"throttle-group","id":"g","limits":{"iops-total":500}}' "#
                + #"-device '{"driver":"virtio-blk-pci","id":"vd0","drive":"t","num-queues":2,"#
                + #""iothread-vq-mapping":[{"iothread":"a"},{"iothread":"b"}]}'"#)
        let lun = try #require(sample.luns.first)
        #expect(lun.graph.map(\.driver) == ["throttle", "qcow2", "host_device"])
        #expect(lun.format == "qcow2" && lun.file == "/dev/sdb" && lun.aio == "io_uring")
        #expect(lun.cache == "none" && lun.queues == 2 && lun.ioThread == "a,b")
        #expect(lun.throttle == "iops-total=500 group=g" && lun.isOnMainLoop == false)
        #expect(sample.value(.mappedThreads, Self.lun) == 2)
        #expect(sample.value(.isReadOnly, Self.lun) == true)
        #expect(sample.value(.isDevice, Self.lun) == true)
    }

    @Test func limitsOfADrive() throws {
        let sample = try ConfiguredVM.started(
            "-drive if=virtio,id=d,file=/a,iops=100,throttling.bps-read=1M,throttling.group=g")
        #expect(sample.luns.map(\.throttle) == ["iops-total=100 bps-read=1048576 group=g"])
    }

    @Test(arguments: [
        ("-hda /a", "ide-hd"), ("-drive file=/a,if=virtio", "virtio-blk-pci"),
        ("-drive id=d,if=none,file=/a -device virtio-blk,drive=d", "virtio-blk-pci"),
        (
            "-M microvm -drive id=d,if=none,file=/a -device virtio-blk-device,drive=d",
            "virtio-blk-device"
        ),
    ])
    func models(options: String, model: String) throws {
        #expect(try ConfiguredVM.started(options).luns.map(\.device) == [model])
    }

    @Test func adapters() throws {
        let sample = try ConfiguredVM.started(
            "-M q35 -smp 4 -device virtio-scsi-pci,id=s,iothread=a -device lsi53c895a,id=l "
                + "-device scsi-hd,id=x,drive=x,bus=s.0 -device scsi-hd,id=y,drive=y,bus=l.0 "
                + "-device ide-hd,id=z,drive=z,bus=ide.0 -device scsi-hd,id=w,drive=w,bus=none.0")
        func adapter(_ id: String) -> FactValue? { sample.value(.adapter, .lun(id)) }
        #expect(adapter("x") == "virtio-scsi-pci" && adapter("y") == "lsi53c895a")
        #expect(adapter("z") == "ich9-ahci" && adapter("w") == nil)
        #expect(sample.value(.adapterID, .lun("x")) == "s")
        #expect(sample.value(.adapterQueues, .lun("x")) == 4)
        #expect(sample.luns.map(\.ioThread) == ["a", nil, nil, nil])
    }

    @Test(
        arguments: [
            ("addr=5", "0000:00:05.0"), ("addr=10.1", "0000:00:10.1"),
            ("addr=0x1f.0x7", "0000:00:1f.7"),
            ("bus=pci.1,addr=2.3", "pci.1:02.3"), ("addr=20", nil), ("addr=1.8", nil),
            ("addr=x", nil),
            ("addr=-1", nil), ("ioeventfd=on", nil),
        ] as [(String, String?)])
    func places(options: String, address: String?) throws {
        let sample = try ConfiguredVM.started("-device virtio-blk-pci,id=vd0,drive=d,\(options)")
        #expect(sample.luns.map(\.pciAddress) == [address])
    }
}
