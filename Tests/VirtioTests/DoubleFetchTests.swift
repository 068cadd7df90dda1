import Synchronization
import Testing
import Virtio

/// A driver that changes descriptor or header while the device looks at them: what the device does
/// is right for one of the two values, never for a mixture, and never leaves memory (whose
/// neighbours cannot be read).
struct DoubleFetchTests {
    private static let rounds = 30_000

    private final class Shared: @unchecked Sendable {
        let rig: Rig
        let isOver = Atomic<Bool>(false)
        init(_ rig: Rig) { self.rig = rig }
    }

    /// Serves `chain` again and again while `flip` rewrites it, and returns what came out.
    private func outcomes(of chain: [Raw], flip: @escaping @Sendable (TestMemory, Bool) -> Void)
        throws -> [Outcome]
    {
        let shared = Shared(try Rig())
        let memory = shared.rig.memory
        shared.rig.driver.writeHeader(type: BlockRequestType.read)
        shared.rig.driver.link(chain)
        let found = Found()
        atTheSameTime({
            for _ in 0..<Self.rounds {
                shared.rig.driver.offer(0)
                found.add(shared.rig.serve())
            }
            shared.isOver.store(true, ordering: .releasing)
        }) {
            var isHostile = false
            while !shared.isOver.load(ordering: .acquiring) {
                isHostile.toggle()
                flip(memory, isHostile)
            }
        }
        return found.outcomes
    }

    private final class Found: @unchecked Sendable {
        var outcomes: [Outcome] = []
        func add(_ outcome: Outcome) { if !outcomes.contains(outcome) { outcomes.append(outcome) } }
    }

    private static let chain: [Raw] = [.header, .into(512), .status]

    /// All that comes out is one of these; returns whether each allowed outcome is well-formed.
    private func expect(
        _ outcomes: [Outcome], work: [UInt64], others: [Outcome],
        _ location: SourceLocation = #_sourceLocation
    ) {
        for outcome in outcomes {
            if case .execute(let found) = outcome {
                let data = found.data.reduce(0) { $0 + UInt64($1.byteCount) }
                #expect(work.contains(found.byteCount), sourceLocation: location)
                #expect(data == found.byteCount, sourceLocation: location)
            } else {
                #expect(others.contains(outcome), sourceLocation: location)
            }
        }
    }

    @Test func lengthOfADescriptor() throws {
        let found = try outcomes(of: Self.chain) { memory, isHostile in
            memory.store(UInt32(isHostile ? 0xFFFF_FF00 : 512), at: ScriptedDriver.ring + 24)
        }
        expect(found, work: [512], others: [.returned(.outsideMemory), .returned(.tooLong)])
    }

    @Test func lengthBetweenTwoValidValues() throws {
        let found = try outcomes(of: Self.chain) { memory, isLong in
            memory.store(UInt32(isLong ? 8192 : 512), at: ScriptedDriver.ring + 24)
        }
        expect(found, work: [512, 8192], others: [])
    }

    @Test func addressOfADescriptor() throws {
        let found = try outcomes(of: Self.chain) { memory, isHostile in
            memory.store(
                isHostile ? UInt64.max - 100 : ScriptedDriver.data, at: ScriptedDriver.ring + 16)
        }
        expect(found, work: [512], others: [.returned(.outsideMemory)])
    }

    @Test func nextOfADescriptor() throws {
        let found = try outcomes(of: Self.chain) { memory, isHostile in
            memory.store(UInt16(isHostile ? 0xFFFF : 2), at: ScriptedDriver.ring + 30)
        }
        expect(found, work: [512], others: [.returned(.nextOutOfRange)])
    }

    @Test func flagsOfADescriptor() throws {
        let found = try outcomes(of: Self.chain) { memory, isHostile in
            let flags = Raw.next | (isHostile ? Raw.indirect : Raw.write)
            memory.store(flags, at: ScriptedDriver.ring + 28)
        }
        expect(found, work: [512], others: [.returned(.indirectWithNext)])
    }

    @Test func typeOfTheHeader() throws {
        let found = try outcomes(of: Self.chain) { memory, isHostile in
            let type: UInt32 = isHostile ? 99 : BlockRequestType.read
            memory.store(type, at: ScriptedDriver.header)
        }
        expect(found, work: [512], others: [.status(BlockStatus.unsupported)])
    }

    @Test func sectorOfTheHeader() throws {
        let found = try outcomes(of: Self.chain) { memory, isHostile in
            memory.store(isHostile ? UInt64.max : 8, at: ScriptedDriver.header + 8)
        }
        expect(found, work: [512], others: [.status(BlockStatus.ioError)])
        for case .execute(let work) in found { #expect(work.sector == 8 || work.sector == 0) }
    }

    /// A gathered header, and a range whose fields are all checked: sector, count and flags.
    @Test func rangeOfWriteZeroes() throws {
        let header = ScriptedDriver.header
        let chain: [Raw] = [
            .out(5, at: header), .out(27, at: header + 5), .status,
        ]
        let found = try outcomes(of: chain) { memory, isHostile in
            memory.store(BlockRequestType.writeZeroes, at: header)
            memory.store(isHostile ? UInt32.max : 8, at: header + 24)
        }
        for outcome in found {
            switch outcome {
            case .execute(let work) where work.operation == .writeZeroes:
                #expect(work.byteCount == 4096)
            default:
                // Before the type is rewritten for the first time this is a read without data.
                #expect(outcome == .status(BlockStatus.ioError))
            }
        }
    }

    @Test func headAndIndexOfTheAvailRing() throws {
        for _ in 0..<200 {
            let shared = Shared(try Rig(size: 4))
            shared.rig.driver.writeHeader(type: BlockRequestType.flush)
            shared.rig.driver.link([.header, .status])
            let memory = shared.rig.memory
            let avail = shared.rig.driver.avail
            let found = Found()
            atTheSameTime({
                for _ in 0..<50 { found.add(shared.rig.serve()) }
                shared.isOver.store(true, ordering: .releasing)
            }) {
                var index: UInt16 = 0
                while !shared.isOver.load(ordering: .acquiring) {
                    memory.store(index % 7 == 6 ? 0xFFFF : index % 4, at: avail + 4)
                    memory.store(index, at: avail + 2)
                    index &+= 1
                }
            }
            #expect((0...4).contains(shared.rig.inFlight))
        }
    }
}
