import Testing
import Virtio

/// What a disk says of itself, byte by byte: Linux reads each of these when it finds a disk.
struct SCSIDataTests {
    /// Sends `command` with room for `room` bytes: what came, and the residual.
    private func ask(
        _ command: [UInt8], unit: Int = 0, room: Int = 255,
        units: [SCSIUnit] = SCSIRig.usual
    ) throws -> [UInt8] {
        let rig = try SCSIRig(units: units)
        let served = rig.serve(SCSISending(command: command, unit: unit, dataInBytes: room))
        let response = try #require(served.response)
        #expect(response.isGood)
        let count = room - Int(response.residual)
        #expect(served.written == UInt32(108 + count))
        #expect(served.dataIn[count...].allSatisfy { $0 == SCSIRig.untouched })
        return Array(served.dataIn[..<count])
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    @Test func inquiry() throws {
        let data = try ask([0x12, 0, 0, 0, 255, 0])
        #expect(data.count == 36)
        #expect(data[..<8] == [0x00, 0x00, 0x05, 0x12, 31, 0, 0, 0x02])
        #expect(text(data[8..<16]) == "VBLKTOP " && text(data[16..<32]) == "VIRTUAL DISK    ")
        // An allocation length is no error however short.
        #expect(try ask([0x12, 0, 0, 0, 5, 0]) == Array(data[..<5]))
        #expect(try ask([0x12, 0, 0, 0, 0, 0], room: 0) == [])
    }

    /// A unit that is not there has qualifier 3 and device type 1Fh; its sense says so too.
    @Test func absentUnit() throws {
        #expect(try ask([0x12, 0, 0, 0, 36, 0], unit: 77)[0] == 0x7F)
        let sense = try ask([0x03, 0, 0, 0, 18, 0], unit: 77)
        #expect(sense[2] == 5 && sense[12] == 0x25)
        #expect(try ask([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0], unit: 77).count == 8 + 24)
    }

    @Test func requestSense() throws {
        let sense = try ask([0x03, 0, 0, 0, 252, 0])
        #expect(sense == [0x70, 0, 0, 0, 0, 0, 0, 10] + Array(repeating: 0, count: 10))
    }

    private func page(_ page: UInt8, unit: Int = 0) throws -> [UInt8] {
        try ask([0x12, 1, page, 0, 255, 0], unit: unit)
    }

    @Test func vitalProductData() throws {
        #expect(try page(0x00) == [0, 0, 0, 5, 0, 0x80, 0x83, 0xB0, 0xB2])
        #expect(try page(0x80) == [0, 0x80, 0, 3] + Array("vd0".utf8))
        #expect(try text(page(0x80, unit: 2)[4...]) == "a serial of over twe")
        #expect(
            try page(0x83)
                == [0, 0x83, 0, 15, 0x02, 0x01, 0, 11] + Array("VBLKTOP vd0".utf8))
        #expect(try page(0xB2) == [0, 0xB2, 0, 4, 0, 0xC0, 2, 0])
    }

    @Test func blockLimits() throws {
        let limits = try page(0xB0)
        #expect(limits.count == 64 && limits[1] == 0xB0 && limits[3] == 60)
        // WSNZ; longest transfer 16 blocks; longest UNMAP 100 blocks in 1 range; the same for
        // WRITE SAME.
        #expect(limits[4] == 1)
        #expect(limits[8..<12] == [0, 0, 0, 16])
        #expect(limits[20..<28] == [0, 0, 0, 100, 0, 0, 0, 1])
        #expect(limits[36..<44] == [0, 0, 0, 0, 0, 0, 0, 100])
    }

    @Test func unknownPage() throws {
        let rig = try SCSIRig()
        for command: [UInt8] in [[0x12, 1, 0xB1, 0, 255], [0x12, 0, 0x80, 0, 255], [0x12, 2]] {
            let served = rig.serve(SCSISending(command: command, dataInBytes: 255))
            #expect(served.response == .check(.invalidFieldInCDB, residual: 255))
        }
    }

    @Test func capacity() throws {
        #expect(try ask([0x25]) == [0, 0, 3, 0xE7, 0, 0, 2, 0])
        // More blocks than 32 bits can say.
        #expect(try ask([0x25], unit: 2) == [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 16, 0])
        let long: [UInt8] = [0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0]
        // LBPME in byte 14.
        #expect(
            try ask(long, unit: 2)
                == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0x80]
                + Array(repeating: 0, count: 17))
    }

    /// WCE where there is a volatile cache, WP where nothing can be written, DPOFUA always.
    @Test func caching() throws {
        let rest = Array(repeating: UInt8(0), count: 17)
        let short: [UInt8] = [0x1A, 8, 0x08, 0, 255, 0]
        #expect(try ask(short) == [23, 0, 0x10, 0, 8, 18, 4] + rest)
        #expect(try ask(short, unit: 1) == [23, 0, 0x90, 0, 8, 18, 0] + rest)
        let long: [UInt8] = [0x5A, 8, 0x3F, 0, 0, 0, 0, 0, 255, 0]
        #expect(try ask(long) == [0, 26, 0, 0x10, 0, 0, 0, 0, 8, 18, 4] + rest)
        // Nothing in it can be changed.
        #expect(try ask([0x1A, 8, 0x48, 0, 255, 0])[6] == 0)
        let rig = try SCSIRig()
        #expect(
            rig.serve(SCSISending(command: [0x1A, 8, 0xC8, 0, 24], dataInBytes: 24)).response
                == .check(.savingNotSupported, residual: 24))
        #expect(
            rig.serve(SCSISending(command: [0x1A, 8, 0x04, 0, 24], dataInBytes: 24)).response
                == .check(.invalidFieldInCDB, residual: 24))
    }

    /// 300 units: beyond 255 their numbers need the flat space method.
    @Test func reportOfUnits() throws {
        let units = Array(repeating: SCSIRig.usual[0], count: 300)
        let room = 8 + 8 * 300
        let command: [UInt8] = [
            0xA0, 0, 0, 0, 0, 0, 0, 0, UInt8(room >> 8), UInt8(room & 0xFF), 0, 0,
        ]
        let data = try ask(command, room: room, units: units)
        #expect(data[..<8] == [0, 0, UInt8(2400 >> 8), UInt8(2400 & 0xFF), 0, 0, 0, 0])
        func entry(_ unit: Int) -> [UInt8] { Array(data[(8 + 8 * unit)..<(16 + 8 * unit)]) }
        #expect(entry(7) == [0, 7, 0, 0, 0, 0, 0, 0])
        #expect(entry(255) == [0, 255, 0, 0, 0, 0, 0, 0])
        #expect(entry(256) == [0x41, 0, 0, 0, 0, 0, 0, 0])
        #expect(entry(299) == [0x41, 43, 0, 0, 0, 0, 0, 0])
        #expect(try ask([0xA0, 0, 1, 0, 0, 0, 0, 0, 0, 16], room: 16, units: units).count == 8)
    }

    /// Room for less than the allocation length names: the device says so, and writes no data.
    @Test func allocationBeyondTheBuffer() throws {
        let rig = try SCSIRig()
        let served = rig.serve(SCSISending(command: [0x12, 0, 0, 0, 36], dataInBytes: 35))
        #expect(served.response == .transport(SCSIResponseCode.overrun, residual: 35))
        #expect(served.dataIn.allSatisfy { $0 == SCSIRig.untouched })
    }
}
