import Testing
import Virtio

/// Framing is free (virtio 1.2 §2.7.4.1): however a command is cut into descriptors, it is the same
/// command with the same answer.
struct SCSIFramingTests {
    private static let sendings = [
        SCSISending(command: [0x28, 0, 0, 0, 0, 9, 0, 0, 2, 0], dataInBytes: 1100),
        SCSISending(
            command: [0x2A, 8, 0, 0, 0, 9, 0, 0, 1, 0],
            dataOut: (0..<600).map { UInt8(truncatingIfNeeded: $0) }),
        SCSISending(command: [0x12, 0, 0, 0, 36, 0], dataInBytes: 40),
        SCSISending(
            command: [0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0],
            dataOut: [0, 22, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 0]),
        SCSISending(
            command: [0x93, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0],
            dataOut: Array(repeating: 0, count: 512)),
        SCSISending(command: [0x35]), SCSISending(command: [0x04], dataInBytes: 3),
    ]

    @Test(arguments: sendings.indices)
    func randomCuts(_ index: Int) throws {
        let rig = try SCSIRig()
        var sending = Self.sendings[index]
        let expected = rig.serve(sending)
        let bytes = expected.data.flatMap { segment in
            (0..<segment.byteCount).map { segment.address + $0 }
        }
        var random = Repeatable(seed: UInt64(0x5C51 + index))
        for round in 0..<300 {
            let (readable, writable) = (51 + sending.dataOut.count, 108 + sending.dataInBytes)
            sending.readableCut = pieces(readable, near: 51, round, &random)
            sending.writableCut = pieces(writable, near: 108, round, &random)
            let served = rig.serve(sending)
            #expect(served == expected)
            // The same bytes of memory in the same order, too.
            let found = served.data.flatMap { segment in
                (0..<segment.byteCount).map { segment.address + $0 }
            }
            #expect(found == bytes)
        }
    }

    /// `count` bytes in pieces: single bytes in the first round, then some at random, mostly about
    /// the end of header or response.
    private func pieces(
        _ count: Int, near edge: Int, _ round: Int, _ random: inout Repeatable
    ) -> [Int] {
        let limit = 400
        if round == 0, count <= limit { return Array(repeating: 1, count: count) }
        var cuts: Set<Int> = [count]
        for _ in 0..<Int.random(in: 0..<20, using: &random) {
            let around = max(1, edge - 3)...min(count, edge + 3)
            let cut = Int.random(
                in: Bool.random(using: &random) ? around : 1...count, using: &random)
            cuts.insert(cut)
        }
        let sorted = cuts.sorted()
        return zip(sorted, [0] + sorted).map { $0 - $1 }
    }

    /// What cannot be answered goes back with length 0, and not a byte is written.
    @Test(arguments: [([50], [108]), ([51], [107]), ([51], []), ([], [108]), ([20, 30], [200])])
    func tooShort(_ readable: [Int], _ writable: [Int]) throws {
        let rig = try SCSIRig()
        let served = rig.serve(
            SCSISending(
                command: [0], dataInBytes: 100, readableCut: readable, writableCut: writable))
        #expect(served.response == nil && served.written == 0)
        for offset in 0..<208 {
            let byte = rig.memory.load(UInt8.self, at: SCSIRig.response + UInt64(offset))
            #expect(byte == SCSIRig.untouched)
        }
        #expect(rig.serve(SCSISending(command: [0])).response == .good())
    }
}
