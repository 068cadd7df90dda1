import Foundation
import Telemetry
import Testing

@testable import Attach

/// The command lines people and management tools write.
@Suite struct CommandLineTests {
    private func parsed(_ arguments: String...) -> QEMUCommandLine {
        QEMUCommandLine(["/usr/bin/qemu-system-x86_64"] + arguments)
    }

    @Test(arguments: ["guest=alpha,debug-threads=on", "alpha"])
    func theName(option: String) {
        #expect(parsed("-name", option).name == "alpha")
    }

    /// Two commas are one of the value.
    @Test func commasInNames() {
        #expect(parsed("-name", "guest=a,,b,debug-threads=on").name == "a,b")
    }

    @Test func everyWayToAQMPSocket() {
        let line = parsed(
            "-qmp", "unix:/run/a.sock,server=on,wait=off",
            "--qmp-pretty", "tcp:0.0.0.0:4444,server=on",
            "-chardev", "socket,id=m0,path=/run/b.sock,server=on,wait=off",
            "-mon", "chardev=m0,id=monitor,mode=control",
            "-chardev", "socket,id=m1,host=::1,port=5555,server=on", "-mon", "m1,mode=control",
            "-chardev", "socket,id=hmp,path=/run/hmp.sock,server=on", "-mon", "chardev=hmp",
            "-qmp", "stdio")
        #expect(
            line.qmpAddresses == ["/run/a.sock", "127.0.0.1:4444", "/run/b.sock", "[::1]:5555"])
    }

    /// The folder is that of QEMU, not of whoever looks.
    @Test func aRelativePathToASocket() {
        #expect(parsed("-qmp", "unix:q:1,server=on").qmpAddresses == ["./q:1"])
        let folder = FileManager.default.currentDirectoryPath
        #expect(absolute("./q:1", forProcess: Int(getpid())) == folder + "/q:1")
        #expect(absolute("/run/q", forProcess: Int(getpid())) == "/run/q")
        #expect(absolute("127.0.0.1:1", forProcess: Int(getpid())) == "127.0.0.1:1")
    }

    @Test func aSCSIDiskIsServedByItsAdapter() {
        let line = parsed(
            "-device", "virtio-scsi-pci,id=scsi0,iothread=io0", "-device",
            "virtio-scsi-pci,id=scsi1", "-device", "scsi-hd,id=a,drive=a,bus=scsi0.0", "-device",
            "scsi-hd,id=b,drive=b,bus=scsi1.0", "-device", "scsi-hd,id=c,drive=c", "-device",
            "virtio-blk-pci,id=d,drive=d,bus=scsi0")
        #expect(line.luns.map(\.id) == ["a", "b", "c", "d"])
        #expect(line.luns.map(\.ioThread) == ["io0", nil, "io0", nil])
    }

    @Test func theMachine() {
        let line = parsed("-accel", "kvm", "-m", "size=4G,slots=2", "-smp", "4,sockets=2")
        #expect(line.accelerator == "kvm")
        #expect(line.memory == "4G")
        #expect(line.vcpus == 4)
        #expect(parsed("-machine", "q35,accel=tcg:kvm").accelerator == "tcg")
        #expect(parsed("-enable-kvm", "-S", "-name", "x").name == "x")
    }

    @Test func aDriveAndItsDevice() throws {
        let line = parsed(
            "-drive", "file=/d/b.raw,format=raw,if=none,id=drive0,cache=none,aio=native",
            "-device",
            "virtio-blk-pci,drive=drive0,id=vd0,iothread=io0,num-queues=2,queue-size=512")
        let lun = try #require(line.luns.first)
        #expect(line.luns.count == 1)
        #expect(lun.id == "vd0")
        #expect(lun.device == "virtio-blk-pci")
        #expect(lun.queues == 2)
        #expect(lun.queueSize == 512)
        #expect(lun.ioThread == "io0")
        #expect(lun.file == "/d/b.raw")
        #expect(lun.format == "raw")
        #expect(lun.cache == "none")
        #expect(lun.aio == "native")
        #expect(line.aio(drive: "drive0", nodes: []) == "native")
    }

    /// libvirt writes JSON; the file lies two nodes down.
    @Test func blockNodesInJSON() throws {
        let line = parsed(
            "-blockdev",
            #"{"driver":"file","filename":"/d/a.qcow2","aio":"io_uring","node-name":"s1"}"#,
            "-blockdev", #"{"node-name":"f1","driver":"qcow2","file":"s1"}"#,
            "-device",
            #"{"driver":"virtio-blk-pci","drive":"f1","id":"virtio-disk0","iothread-vq-mapping":"#
                + #"[{"iothread":"io0"},{"iothread":"io1"}]}"#)
        let lun = try #require(line.luns.first)
        #expect(lun.id == "virtio-disk0")
        #expect(lun.format == "qcow2")
        #expect(lun.file == "/d/a.qcow2")
        #expect(lun.aio == "io_uring")
        #expect(lun.ioThread == "io0,io1")
        #expect(line.aio(drive: nil, nodes: ["f1", "s1"]) == "io_uring")
    }

    @Test func theModelThatNobodyNamedIsThreads() {
        let line = parsed(
            "-blockdev", "driver=file,filename=/d/c,node-name=f2",
            "-blockdev", "driver=raw,node-name=r2,file.driver=file,file.filename=/d/e",
            "-blockdev", "driver=null-co,node-name=n0,size=1073741824")
        #expect(line.aio(drive: nil, nodes: ["f2"]) == "threads")
        #expect(line.aio(drive: nil, nodes: ["r2"]) == "threads")
        #expect(line.aio(drive: nil, nodes: ["n0"]) == nil)
        #expect(line.aio(drive: nil, nodes: ["plugged-later"]) == nil)
    }

    @Test func disksWithoutADeviceOption() {
        let line = parsed("-drive", "file=/d/v,if=virtio", "-hda", "/d/h", "/d/plain")
        #expect(line.luns.map(\.file) == ["/d/v", "/d/h", "/d/plain"])
        #expect(line.luns.map(\.device) == ["virtio-blk-pci", "default bus", "default bus"])
    }

    @Test func whatIsNoDisk() {
        let line = parsed(
            "-device", "virtio-net-pci,id=n", "-device", "virtio-scsi-pci,id=s",
            "-device", "nvme,id=controller,serial=x", "-drive", "if=pflash,file=/fw",
            "-drive", "file=/cd.iso,media=cdrom", "-device", "scsi-cd,drive=c")
        #expect(line.luns.isEmpty)
    }

    /// A loop of nodes, a cut list, broken JSON: nothing hangs or traps.
    @Test func nonsense() {
        #expect(parsed("-blockdev", "{\"driver\":", "-device", "{}", "-drive").luns.isEmpty)
        let loop = parsed(
            "-blockdev", "driver=raw,node-name=a,file=b", "-blockdev",
            "driver=raw,node-name=b,file=a", "-device", "virtio-blk-pci,drive=a")
        #expect(loop.luns.map(\.id) == ["a"])
        #expect(QEMUCommandLine([]).luns.isEmpty)
    }

    /// What a terminal would obey does not come through, and a name of 4 KB is cut.
    @Test func hostileNames() throws {
        let line = parsed(
            "-device", "virtio-blk-pci,drive=d,id=\u{1B}[2Jevil",
            "-device", "virtio-blk-pci,drive=d,id=" + String(repeating: "x", count: 4096))
        #expect(line.luns[0].id == "\u{FFFD}[2Jevil")
        #expect(line.luns[1].id.count == 257)
    }
}
