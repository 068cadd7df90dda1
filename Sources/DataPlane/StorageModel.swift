private import Glibc
import Virtio

/// A class of storage by the time it takes: how many requests it serves at once, and how long each
/// takes. A LUN with one says so on screen.
///
/// The figures are round ones of a class, of no product, and are the same on every machine: that is
/// what they are for.
public struct StorageModel: Sendable, Equatable {
    /// A service time: log-normal around its median, as those of real disks are, with a tail.
    public struct Distribution: Sendable, Equatable {
        /// Nanoseconds.
        public var median: Double
        /// Standard deviation of the logarithm; 0 for always the same.
        public var spread: Double

        /// A distribution around `median` nanoseconds.
        public init(median: Double, spread: Double) {
            self.median = median
            self.spread = spread
        }
    }

    /// An arm over a platter.
    public struct Mechanics: Sendable, Equatable {
        /// Nanoseconds to the next track, and over the whole disk.
        public var shortestSeek: Double
        public var longestSeek: Double
        /// Nanoseconds of a revolution.
        public var revolution: Double
    }

    public var name: String
    /// Requests served at once; further ones wait for the first that is over.
    public var channels: Int
    public var read: Distribution
    public var write: Distribution
    public var flush: Distribution
    /// Bytes a second that each channel moves.
    public var bytesPerSecond: Double
    public var mechanics: Mechanics?
    /// Sectors of the disk, over which the arm moves.
    public var sectors: UInt64 = 0

    /// A disk of 7,200 revolutions a minute: one request at a time.
    public static let hdd = StorageModel(
        name: "hdd", channels: 1, read: Distribution(median: 100_000, spread: 0.1),
        write: Distribution(median: 100_000, spread: 0.1),
        flush: Distribution(median: 8_000_000, spread: 0.3), bytesPerSecond: 200e6,
        mechanics: Mechanics(
            shortestSeek: 500_000, longestSeek: 16_000_000, revolution: 8_333_333))
    /// A SATA SSD with a queue of 32.
    public static let ssd = StorageModel(
        name: "ssd", channels: 32, read: Distribution(median: 120_000, spread: 0.4),
        write: Distribution(median: 60_000, spread: 0.6),
        flush: Distribution(median: 1_000_000, spread: 0.5), bytesPerSecond: 500e6, mechanics: nil)
    /// An NVMe SSD.
    public static let nvme = StorageModel(
        name: "nvme", channels: 64, read: Distribution(median: 80_000, spread: 0.25),
        write: Distribution(median: 18_000, spread: 0.4),
        flush: Distribution(median: 200_000, spread: 0.5), bytesPerSecond: 2e9, mechanics: nil)
    /// A RAM disk behind a SCSI target and 8 Gbit/s Fibre Channel, as the 2013 record was made
    /// with: the way there and back, and next to nothing at its end.
    public static let ramDiskTarget = StorageModel(
        name: "ram-disk", channels: 64, read: Distribution(median: 250_000, spread: 0.15),
        write: Distribution(median: 250_000, spread: 0.15),
        flush: Distribution(median: 250_000, spread: 0.15), bytesPerSecond: 800e6, mechanics: nil)

    /// All of them.
    public static let all = [hdd, ssd, nvme, ramDiskTarget]

    /// In words, for example `ssd: read 120 us, write 60 us, 32 at a time`.
    public var description: String {
        func microseconds(_ distribution: Distribution) -> String {
            "\(Int((distribution.median / 1000).rounded())) us"
        }
        if mechanics != nil { return "\(name): an arm that seeks, one request at a time" }
        return "\(name): read \(microseconds(read)), write \(microseconds(write)), "
            + "\(channels) at a time"
    }
}

/// A modelled disk at work.
struct StorageState: ~Copyable {
    private let model: StorageModel
    /// When each channel is free again, nanoseconds.
    private let freeAt: FixedArray<UInt64>
    private var arm: UInt64 = 0

    init(_ model: StorageModel) {
        self.model = model
        freeAt = FixedArray(repeating: 0, count: max(1, model.channels))
    }

    /// When `request`, which came at `now`, will have been served.
    mutating func serve(_ request: BlockRequest, at now: UInt64, _ random: inout Random) -> UInt64 {
        var channel = 0
        for index in 1..<max(1, freeAt.count) where freeAt[index] < freeAt[channel] {
            channel = index
        }
        let begin = max(now, freeAt[channel])
        let end = begin + UInt64(min(time(of: request, &random), 1e12))
        freeAt[channel] = end
        return end
    }

    private mutating func time(of request: BlockRequest, _ random: inout Random) -> Double {
        let distribution: StorageModel.Distribution
        switch request.operation {
        case .read: distribution = model.read
        case .write, .discard, .writeZeroes, .writeZeroesUnmapping: distribution = model.write
        case .flush: distribution = model.flush
        case .getID: return 0
        }
        var time = distribution.median
        if distribution.spread > 0 { time *= exp(distribution.spread * Self.normal(&random)) }
        if request.operation == .read || request.operation == .write {
            time += Double(request.byteCount) / model.bytesPerSecond * 1e9
            if let mechanics = model.mechanics { time += move(mechanics, to: request, &random) }
        }
        return time
    }

    /// The arm moves as the square root of the way, as an arm that speeds up and brakes does; then
    /// the sector is somewhere on its round, unless it is the one that comes next.
    private mutating func move(
        _ mechanics: StorageModel.Mechanics, to request: BlockRequest, _ random: inout Random
    ) -> Double {
        defer { arm = request.sector + request.byteCount / 512 }
        if request.sector == arm { return 0 }
        let way = request.sector > arm ? request.sector - arm : arm - request.sector
        let share = min(1, Double(way) / Double(max(1, model.sectors)))
        let seek =
            mechanics.shortestSeek + (mechanics.longestSeek - mechanics.shortestSeek)
            * share.squareRoot()
        return seek + mechanics.revolution * random.unit()
    }

    /// Normally distributed with mean 0 and deviation 1 (Box and Muller).
    private static func normal(_ random: inout Random) -> Double {
        (-2 * log(max(random.unit(), 0x1p-53))).squareRoot() * cos(2 * .pi * random.unit())
    }
}
