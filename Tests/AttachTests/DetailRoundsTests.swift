import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000

/// When questions that can wait are asked, and which of their answers wake anybody.
@Suite struct DetailRoundsTests {
    /// The rounds of `samples` samples in each of which 20 questions may be asked.
    private func rounds(
        _ rounds: DetailRounds = DetailRounds(), samples: Int, every interval: Nanoseconds = second
    ) -> [DetailRounds.Round] {
        var rounds = rounds
        return (0..<samples).compactMap { _ in
            _ = rounds.end()
            rounds.allow(20)
            guard let round = rounds.next(isBusy: false, every: interval) else { return nil }
            rounds.begin(round)
            return round
        }
    }

    @Test func fewAnswersAreTimedOnceTheirTimeIsKnown() {
        let all = rounds(samples: 20)
        #expect(all[..<3].allSatisfy { $0 == DetailRounds.Round(count: 20, leavesAnswers: false) })
        let later = all[3...]
        #expect(later.count { $0.leavesAnswers && $0.count == 20 } == 15)
        #expect(later.filter { !$0.leavesAnswers }.map(\.count) == [4, 4])
    }

    @Test func inHasteAndWhereSamplesAreRareAllAreTimed() {
        let timed = DetailRounds.Round(count: 20, leavesAnswers: false)
        let hasty = DetailRounds(isInHaste: true)
        #expect(rounds(hasty, samples: 9) == Array(repeating: timed, count: 9))
        #expect(rounds(samples: 9, every: 2 * second) == Array(repeating: timed, count: 9))
    }

    /// What is read as it comes may not stand behind what is not.
    @Test func aRoundWaitsForWhatIsBeingAnswered() {
        var rounds = DetailRounds()
        rounds.allow(20)
        #expect(rounds.next(isBusy: true, every: second) == nil)
        #expect(rounds.next(isBusy: false, every: second)?.count == 20)
        #expect(rounds.next(isBusy: false, every: second) == nil, "one a sample")
        rounds.allow(20)
        _ = rounds.end()
        #expect(rounds.next(isBusy: false, every: second) == nil, "that sample is over")
    }

    @Test func aSampleReadsWhatWasLeft() {
        var rounds = DetailRounds()
        rounds.begin(DetailRounds.Round(count: 1, leavesAnswers: true))
        #expect(rounds.leavesAnswers)
        let wereLeft = [rounds.end(), rounds.end()]
        #expect(wereLeft == [true, false])
        #expect(!rounds.leavesAnswers)
    }
}
