import Telemetry
import Testing

@testable import Attach

/// What the command line says of a disk, in all the ways it can be said.
@Suite struct DiskOptionsTests {
    private func options(
        _ arguments: String..., id: String? = "d", drive: String? = nil, nodes: [String] = []
    ) throws -> DiskOptions {
        let line = QEMUCommandLine(["qemu"] + arguments)
        return try #require(line.options(id: id, drive: drive, nodes: nodes))
    }

    @Test(
        arguments: [
            ("cache=none", "none"), ("cache=off", "none"), ("cache=writethrough", "writethrough"),
            ("cache.direct=on", "none"), ("cache.direct=on,cache.writeback=off", "directsync"),
            ("cache.no-flush=on", "unsafe"), ("cache.writeback=on", "writeback"),
            ("aio=native", nil),
        ] as [(String, String?)])
    func theCacheOfADrive(option: String, word: String?) throws {
        let options = try options("-drive", "id=x,file=/a," + option, drive: "x")
        #expect(options.cache == word && options.cacheIsGiven == (word != nil))
        #expect(options.aioIsGiven == (word == nil))
    }

    /// The lowest node has the file open, and the device says what the guest may keep.
    @Test func theCacheOfNodes() throws {
        let arguments = [
            "-blockdev", "driver=file,filename=/a,node-name=f,cache.direct=on,aio=io_uring",
            "-blockdev", "driver=raw,node-name=r,file=f", "-device",
        ]
        func options(_ device: String) throws -> DiskOptions {
            let line = QEMUCommandLine(["qemu"] + arguments + [device])
            return try #require(line.options(id: "d", drive: nil, nodes: ["r", "f"]))
        }
        #expect(try options("virtio-blk-pci,id=d,drive=r").cache == "none")
        #expect(try options("virtio-blk-pci,id=d,drive=r,write-cache=off").cache == "directsync")
        #expect(try options("virtio-blk-pci,id=d,drive=r").aioIsGiven)
        let json = #"{"driver":"virtio-blk-pci","id":"d","drive":"r","x-data-plane":true}"#
        #expect(try options(json).hasXDataPlane)
    }

    @Test func nestedNodes() throws {
        let options = try options(
            "-blockdev",
            #"{"driver":"throttle","node-name":"t","discard":"unmap","file":{"driver":"qcow2","#
                + #""l2-cache-size":65536,"file":{"driver":"file","filename":"/a","aio":"native","#
                + #""cache":{"direct":true,"no-flush":false}}}}"#, nodes: ["t", "#block1"])
        #expect(options.cache == "none" && options.aioIsGiven && options.l2Cache == 65536)
        #expect(options.discard.word == "unmap" && options.discard.isGiven)
    }

    /// A single node that ignores discards is enough.
    @Test(arguments: [
        (",discard=unmap", ",discard=unmap", "unmap"), ("", ",discard=unmap", "ignore"),
        (",discard=unmap", ",discard=ignore", "ignore"), (",discard=on", "", "ignore"),
        (",discard=ignore", ",discard=unmap", "ignore"),
    ])
    func discardsOfNodes(upper: String, lower: String, word: String) throws {
        let options = try options(
            "-blockdev", "driver=file,filename=/a,node-name=f" + lower, "-blockdev",
            "driver=raw,node-name=r,file=f" + upper, nodes: ["r", "f"])
        #expect(options.discard.word == word)
        #expect(try self.options("-drive", "id=x", drive: "x").discard == ("ignore", false))
    }

    @Test func whatIsNotOnTheCommandLine() {
        let line = QEMUCommandLine(["qemu", "-drive", "id=x,file=/a,copy-on-read=on"])
        #expect(line.options(id: "d", drive: nil, nodes: ["plugged"]) == nil)
        #expect(line.options(id: nil, drive: "other", nodes: []) == nil)
        #expect(line.options(id: nil, drive: "x", nodes: [])?.copiesOnRead == true)
    }

    @Test(
        arguments: [
            ("64M", 64 << 20), ("1.5k", 1536), ("4096", 4096), ("7b", 7), ("1G", 1 << 30),
            ("", nil), ("M", nil), ("-1", nil), ("nan", nil), ("1e300", nil), ("0x10", 16),
        ] as [(String, UInt64?)])
    func bytes(text: String, count: UInt64?) { #expect(byteCount(text) == count) }

    /// 64 KiB clusters of 8 bytes each: 32 MiB of tables are good for 256 GiB.
    @Test(
        arguments: [
            ("", 7, 2, 32 << 20), ("", 3, 0, 1 << 20), ("l2-cache-size=64M", 7, 2, 64 << 20),
            ("l2-cache-size=1G", 7, 2, 128 << 20), ("cache-size=1G", 7, 2, 128 << 20),
            ("cache-size=16M", 7, 2, 16 << 20 - 256 << 10), ("cache-size=128k", 7, 2, 0),
            ("cache-size=16M,refcount-cache-size=4M", 7, 2, 12 << 20),
        ] as [(String, Int, Int, UInt64)])
    func theCacheOfTables(option: String, major: Int, minor: Int, size: UInt64) throws {
        let cache = try #require(
            QCOW2Cache(virtualSize: 1 << 40, cluster: 65536, hasExtendedL2: false))
        #expect(cache.need == 128 << 20)
        let options = try options("-drive", "id=x," + option, drive: "x")
        #expect(cache.size(options, version: (major, minor)) == size)
    }

    @Test func imagesThatMakeNoSense() throws {
        #expect(QCOW2Cache(virtualSize: .max, cluster: 65536, hasExtendedL2: true) == nil)
        #expect(QCOW2Cache(virtualSize: 1, cluster: 0, hasExtendedL2: true) == nil)
        let small = try #require(QCOW2Cache(virtualSize: 1, cluster: 512, hasExtendedL2: true))
        #expect(small.need == 512)
    }
}
