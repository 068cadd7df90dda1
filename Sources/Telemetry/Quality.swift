/// How a number came about; every screen shows its letter beside it.
public enum Quality: UInt8, Sendable, Equatable, CaseIterable {
    /// Nobody can tell.
    case unknown
    /// Worked out from samples, with a known uncertainty.
    case estimated
    /// Follows from other measured numbers, for example by subtraction or by Little's law.
    case derived
    /// Both ends were stamped.
    case measured

    /// `m`, `d`, `e` or `-`.
    public var letter: Character {
        switch self {
        case .unknown: "-"
        case .estimated: "e"
        case .derived: "d"
        case .measured: "m"
        }
    }

    /// The JSON word.
    public var word: String {
        switch self {
        case .unknown: "unknown"
        case .estimated: "estimated"
        case .derived: "derived"
        case .measured: "measured"
        }
    }
}

/// The qualities of the five stages.
public struct StageQualities: Sendable, Equatable {
    /// Two bits a stage, the first stage lowest: how recordings keep them too.
    package var code: UInt16

    /// All of one quality.
    public init(_ quality: Quality = .unknown) {
        code = 0
        for stage in StageTimes.Stage.allCases { self[stage] = quality }
    }

    /// Those of a recording; bits beyond the stages are dropped.
    package init(code: UInt16) { self.code = code & 0x3FF }

    public subscript(stage: StageTimes.Stage) -> Quality {
        get { Quality(rawValue: UInt8(truncatingIfNeeded: code >> shift(stage)) & 3) ?? .unknown }
        set {
            code &= ~(3 << shift(stage))
            code |= UInt16(newValue.rawValue) << shift(stage)
        }
    }

    /// What can be said of the mean over all of `luns`: no more than of the weakest that has a time
    /// for the stage.
    init(weakestOf luns: [LUN]) {
        self.init()
        for stage in StageTimes.Stage.allCases {
            var weakest: Quality?
            // By index: to copy a LUN takes longer than to look at what it has.
            for index in luns.indices where luns[index].rates.stages?[stage] != nil {
                let quality = luns[index].rates.stageQuality[stage]
                if quality.rawValue < (weakest ?? .measured).rawValue || weakest == nil {
                    weakest = quality
                }
            }
            self[stage] = weakest ?? .unknown
        }
    }

    private func shift(_ stage: StageTimes.Stage) -> UInt16 { UInt16(stage.rawValue * 2) }

    /// Five letters in the order of the stages, for example `dd-dd`.
    public var letters: String {
        String(StageTimes.Stage.allCases.map { self[$0].letter })
    }
}
