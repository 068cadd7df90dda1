import Grid

/// What a terminal of a given depth is told for an appearance.
struct Paint: Equatable {
    /// Colour numbers of the terminal; -1 is its own default.
    var foreground: Int32 = -1
    var background: Int32 = -1
    var isBold = false
    var isDim = false
    var isUnderlined = false
    var isReversed = false

    /// The nearest thing to `appearance` at `depth`.
    ///
    /// Without colour a background becomes reverse video: a selected row stays visible.
    init(_ appearance: Appearance, depth: ColorDepth) {
        isBold = appearance.isBold
        isDim = appearance.isDim
        isUnderlined = appearance.isUnderlined
        isReversed = appearance.isReversed
        if depth == .none {
            if appearance.background != .terminalDefault { isReversed = true }
            return
        }
        foreground = appearance.foreground.number(at: depth)
        background = appearance.background.number(at: depth)
        if depth == .eight { useEight() }
    }

    /// Bright colours of sixteen in terms of eight: bold, and dim for the dark grey, as black
    /// letters would vanish on a black screen.
    private mutating func useEight() {
        if foreground == 8 {
            foreground = -1
            isDim = true
        } else if foreground > 8 {
            foreground -= 8
            isBold = true
        }
        if background >= 8 { background -= 8 }
    }
}

extension Color {
    /// The terminal's number of the nearest colour at `depth` (of sixteen where there are eight).
    func number(at depth: ColorDepth) -> Int32 {
        switch self {
        case .terminalDefault: return -1
        case .indexed(let index):
            if depth == .direct && index >= 8 { return Channels(index: index).packed }
            if depth >= .indexed || index < 16 { return Int32(index) }
            return Channels(index: index).nearestOfSixteen
        case .rgb(let red, let green, let blue):
            let channels = Channels(red: Int(red), green: Int(green), blue: Int(blue))
            switch depth {
            case .direct: return channels.packed
            case .indexed: return channels.nearestOf256
            default: return channels.nearestOfSixteen
            }
        }
    }
}

/// Red, green and blue, 0…255 each.
private struct Channels {
    var red: Int
    var green: Int
    var blue: Int

    /// Levels of the 6 × 6 × 6 cube of xterm's 256 colours.
    private static let levels = [0, 95, 135, 175, 215, 255]

    /// xterm's first sixteen.
    private static let sixteen: [(Int, Int, Int)] = [
        (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0),
        (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
        (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0),
        (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
    ]

    init(red: Int, green: Int, blue: Int) {
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    /// What xterm shows for one of its 256 colours: sixteen, the cube, then 24 greys.
    init(index: UInt8) {
        let index = Int(index)
        switch index {
        case ..<16:
            (red, green, blue) = Self.sixteen[index]
        case ..<232:
            let place = index - 16
            red = Self.levels[place / 36]
            green = Self.levels[place / 6 % 6]
            blue = Self.levels[place % 6]
        default:
            red = 8 + 10 * (index - 232)
            (green, blue) = (red, red)
        }
    }

    /// 0xRRGGBB. Terminals with direct colour keep 0…7 for their palette: the nearest number that
    /// is none of them differs from black by 3 % of blue.
    var packed: Int32 {
        let number = Int32(red << 16 | green << 8 | blue)
        return (1...7).contains(number) ? 8 : number
    }

    /// Of the cube and the greys; the first sixteen are the user's to choose and mean anything.
    var nearestOf256: Int32 {
        nearest(16...255)
    }

    var nearestOfSixteen: Int32 {
        nearest(0...15)
    }

    private func nearest(_ candidates: ClosedRange<UInt8>) -> Int32 {
        var best = (distance: Int.max, index: candidates.lowerBound)
        for index in candidates {
            let distance = distance(to: Channels(index: index))
            if distance < best.distance { best = (distance, index) }
        }
        return Int32(best.index)
    }

    /// Squared distance, weighted as the eye weighs the channels.
    private func distance(to other: Channels) -> Int {
        let (red, green, blue) = (red - other.red, green - other.green, blue - other.blue)
        return 3 * red * red + 6 * green * green + 2 * blue * blue
    }
}
