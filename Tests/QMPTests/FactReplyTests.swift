import Testing

@testable import QMP

/// What facts are made of, as a real QEMU 7.2 said it.
struct FactReplyTests {
    private func reply(_ query: QMPQuery) throws -> QMPReply {
        var conversation = try Conversation("qemu-7.2.22-facts")
        guard case .reply(_, let reply) = try conversation.ask(query) else {
            throw Missing(query: query)
        }
        return reply
    }

    private struct Missing: Error { let query: QMPQuery }

    @Test func machinesAndWhichWillBeRemoved() throws {
        guard case .machines(let machines) = try reply(.machines) else {
            throw Missing(query: .machines)
        }
        #expect(machines.first { $0.name == "pc-i440fx-1.7" }?.isDeprecated == true)
        let newest = try #require(machines.first { $0.alias == "q35" })
        #expect(newest.name == "pc-q35-7.2" && newest.isDeprecated == false)
    }

    @Test func memory() throws {
        guard case .memoryBackends(let backends) = try reply(.memoryBackends),
            case .ramBlocks(let blocks) = try reply(.ramBlocks)
        else { throw Missing(query: .memoryBackends) }
        #expect(backends.map(\.id) == ["m1", "pc.ram"] && backends.map(\.merges) == [false, true])
        #expect(backends.last?.size == 64 << 20 && backends.last?.isShared == false)
        #expect(backends.last?.isPreallocated == false)
        // The backend that the guest does not have has no name there.
        #expect(blocks.prefix(2).map(\.name) == ["pc.ram", ""])
        #expect(blocks.first == QMPRAMBlock.all(in: Self.table).first)
        #expect(try reply(.balloon) == .balloon(64 << 20))
    }

    private static let table = """
          Block Name    PSize              Offset               Used              Total
              pc.ram    4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000
        /objects/a b    2 MiB  0x0000000000000000 0x0000000040000000 0x0000000040000000
        x    0 KiB  0x0 0x1 0x1
        y    99999999999999999999 KiB  0x0 0x1 0x1
        z    1 PiB  0x0 0x1 0x1
        what else
        """

    /// Of a table for people, only rows that are rows.
    @Test func pagesOfMemory() {
        let blocks = QMPRAMBlock.all(in: Self.table)
        #expect(blocks.map(\.name) == ["pc.ram", "/objects/a b"])
        #expect(blocks.map(\.pageSize) == [4096, 2 << 20])
        #expect(blocks.map(\.used) == [64 << 20, 1 << 30])
    }

    @Test func images() throws {
        guard case .block(let disks) = try reply(.block) else { throw Missing(query: .block) }
        func images(_ id: String) throws -> [QMPImage] {
            let path = "/machine/peripheral/\(id)/virtio-backend"
            return try #require(disks.first { $0.qdev == path }?.inserted?.images)
        }
        let chain = try images("vd2")
        #expect(chain.map(\.filename) == ["top.qcow2", "mid.qcow2", "base.qcow2"])
        #expect(chain.map(\.snapshotCount) == [1, 0, 0])
        #expect(chain[0].hasExtendedL2 == true && chain[0].hasLazyRefcounts == true)
        #expect(chain[0].clusterSize == 128 << 10 && chain[0].compatibility == "1.1")
        #expect(chain[0].isCorrupt == false && chain[0].encryption == nil)
        // QEMU takes what a filter filters for its backing file.
        #expect(try images("vd3").map(\.format) == ["throttle", "qcow2"])
    }

    @Test func discardsAreCountedByTheFile() throws {
        guard case .blockStats(let disks) = try reply(.blockStats) else {
            throw Missing(query: .blockStats)
        }
        let drive = try #require(disks.first { $0.device == "db" })
        #expect(drive.passedDiscards == 0 && drive.failedDiscards == 0)
        #expect(disks.first { $0.nodeName == "cor" }?.passedDiscards == nil)
    }

    @Test func encryptedImages() throws {
        var conversation = try Conversation()
        let reply = conversation.ask(
            .block,
            answered: """
                [{"device":"a","inserted":{"image":{"encrypted":true,"format-specific":
                {"type":"qcow2","data":{"encrypt":{"format":"aes"}}}}}},
                {"device":"b","inserted":{"image":{"format-specific":{"type":"luks","data":{}}}}}]
                """)
        guard case .block(let disks) = reply else { throw Missing(query: .block) }
        #expect(disks.map { $0.inserted?.image?.encryption } == ["aes", "luks"])
        #expect(disks.first?.inserted?.image?.isEncrypted == true)
    }

    /// As many images as one may stack are no end of the conversation.
    @Test func aLongChainOfImages() throws {
        var conversation = try Conversation()
        let depth = 200
        let chain =
            String(repeating: #"{"format":"qcow2","backing-image":"#, count: depth - 1)
            + #"{"format":"raw"}"# + String(repeating: "}", count: depth - 1)
        let reply = conversation.ask(
            .block, answered: #"[{"device":"a","inserted":{"image":\#(chain)}}]"#)
        guard case .block(let disks) = reply else { throw Missing(query: .block) }
        #expect(disks.first?.inserted?.images.count == depth)
    }

    @Test func aMigrationThatSlowsTheGuest() throws {
        var conversation = try Conversation()
        let reply = conversation.ask(
            .migration,
            answered: #"{"status":"active","cpu-throttle-percentage":40,"ram":{"remaining":7}}"#)
        guard case .migration(let migration) = reply else { throw Missing(query: .migration) }
        #expect(migration.cpuThrottle == 40 && migration.remaining == 7)
    }
}
