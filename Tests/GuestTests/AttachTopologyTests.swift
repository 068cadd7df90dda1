import Foundation
import Glibc
import GuestHarness
import Testing

extension GuestTests {
    /// What vblktop says a VM is made of. None of it needs a guest that runs.
    @Suite struct AttachTopologyTests {
        private static var machine: GuestMachine {
            var machine = GuestMachine()
            machine.iothreads = ["io0"]
            machine.processors = 2
            machine.disks = [
                GuestDisk(
                    "native", backend: .raw(aio: "native"), iothread: "io0",
                    properties: ["num-queues=2", "queue-size=128"]),
                GuestDisk("threads", backend: .raw(aio: "threads"), style: .drive),
                GuestDisk("qcow2", backend: .qcow2),
                GuestDisk("scsi", bus: .scsi, iothread: "io0"),
                GuestDisk("ide", bus: .ide),
            ]
            machine.arguments = [
                "-object", "throttle-group,id=slow,x-iops-total=500",
                "-blockdev", "driver=null-co,node-name=below,size=1048576",
                "-blockdev", "driver=throttle,node-name=gate,throttle-group=slow,file=below",
                "-device", "virtio-blk-pci,id=gated,drive=gate,addr=1d",
            ]
            return machine
        }

        @Test func everyDiskIsDescribedAsItIs() throws {
            try TestGuest.paused(Self.machine) { guest in
                let vblktop = try Vblktop("--qmp", guest.monitorPath(), "-d", "0.2")
                let sample = try vblktop.sample("description", within: 100) {
                    $0.lun("gated")?["throttle"]?.text?.contains("500") == true
                        && $0.lun("scsi")?["device"] == "scsi-hd"
                        && $0.lun("threads")?["queue_size"]?.integer != nil
                        && $0.lun("ide")?["device"] == "ide-hd"
                }
                #expect(
                    sample.lunIDs.sorted() == [
                        "gated", "ide", "native", "qcow2", "scsi", "threads",
                    ])
                expectMachine(sample, guest)
                expectDevices(sample)
                expectBackends(sample, guest)
                try expectHostDisks(sample, guest)
            }
        }

        private func expectMachine(_ sample: JSONValue, _ guest: TestGuest) {
            let vm = sample["vm"]
            #expect(vm?["name"]?.text == guest.machine.name)
            #expect(vm?["pid"]?.integer == Int(guest.processID))
            #expect(vm?["status"] == "prelaunch")
            #expect(vm?["vcpus"] == 2)
            #expect(vm?["memory_bytes"]?.integer == 512 << 20)
            #expect(vm?["qmp"]?.text?.hasSuffix(guest.monitorPath()) == true)
            #expect(vm?["version"]?.text?.contains(/^\d+\.\d+/) == true)
            #expect(sample["vms"]?.list == [vm ?? .null])
        }

        private func expectDevices(_ sample: JSONValue) {
            let native = sample.lun("native")
            #expect(native?["device"] == "virtio-blk-pci")
            #expect(native?["queues"] == 2)
            #expect(native?["queue_size"] == 128)
            #expect(native?["io_thread"] == "io0")
            #expect(native?["pci_address"] == "0000:00:03.0")
            let threads = sample.lun("threads")
            #expect(threads?["device"] == "virtio-blk-pci")
            // As many as there are processors, by default.
            #expect(threads?["queues"] == 2)
            #expect(threads?["queue_size"] == 256)
            #expect(threads?["io_thread"] == .null)
            #expect(threads?["pci_address"] == "0000:00:04.0")
            #expect(sample.lun("scsi")?["pci_address"] == .null)
            // Its adapter has one, and the adapter's is its own.
            #expect(sample.lun("scsi")?["io_thread"] == "io0")
            #expect(sample.lun("ide")?["io_thread"] == .null)
        }

        private func expectBackends(_ sample: JSONValue, _ guest: TestGuest) {
            let native = sample.lun("native")
            #expect(native?["format"] == "raw")
            #expect(native?["cache"] == "none")
            #expect(native?["aio"] == "native")
            #expect(native?["node"] == "native-node")
            #expect(native?["file"]?.text == guest.filePath(guest.machine.disks[0]))
            let leaf = native?["graph"]?.list.last
            #expect(leaf?["driver"] == "file")
            #expect(leaf?["direct"] == true)
            #expect(leaf?["file"]?.text == guest.filePath(guest.machine.disks[0]))
            let threads = sample.lun("threads")
            #expect(threads?["format"] == "raw")
            #expect(threads?["cache"] == "writeback")
            #expect(threads?["aio"] == "threads")
            let qcow2 = sample.lun("qcow2")
            #expect(qcow2?["format"] == "qcow2")
            #expect(qcow2?["graph"]?.list.compactMap { $0["driver"]?.text } == ["qcow2", "file"])
            #expect(qcow2?["file"]?.text == guest.filePath(guest.machine.disks[2]))
            let gated = sample.lun("gated")
            #expect(gated?["throttle"] == "iops-total=500 group=slow")
            #expect(
                gated?["graph"]?.list.compactMap { $0["driver"]?.text } == ["throttle", "null-co"])
            #expect(gated?["graph"]?.list.compactMap { $0["name"]?.text } == ["gate", "below"])
            #expect(gated?["format"] == "null-co")
        }

        /// The disk below a file, as this test finds it: by the number of its device.
        private func expectHostDisks(_ sample: JSONValue, _ guest: TestGuest) throws {
            let path = try #require(guest.filePath(guest.machine.disks[0]))
            var status = stat()
            #expect(unsafe stat(path, &status) == 0)
            // As the kernel packs the numbers of small devices.
            let number = "\((status.st_dev >> 8) & 0xFFF):\(status.st_dev & 0xFF)"
            let found = URL(fileURLWithPath: "/sys/dev/block/\(number)").resolvingSymlinksInPath()
            let whole =
                FileManager.default.fileExists(atPath: "\(found.path)/partition")
                ? found.deletingLastPathComponent() : found
            let native = sample.lun("native")
            if FileManager.default.fileExists(atPath: found.path) {
                let name = whole.lastPathComponent
                #expect(native?["host_disk"]?.text == name)
                let disk = sample["host"]?["disks"]?.list.first { $0["name"]?.text == name }
                #expect(disk?["luns"]?.list.contains("native") == true)
            } else {
                #expect(native?["host_disk"] == .null)
                #expect(
                    sample["unavailable"]?.list.contains { $0["metric"] == "host_disk" } == true)
            }
            #expect(sample.lun("gated")?["host_disk"] == .null)
        }
    }
}
