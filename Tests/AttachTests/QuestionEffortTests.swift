import Telemetry
import Testing

@testable import Attach

private let second: Nanoseconds = 1_000_000_000
private let millisecond: Nanoseconds = 1_000_000

@Suite struct QuestionEffortTests {
    /// What comes of a VM that takes `cost` for each answer, where all that is allowed is asked
    /// in every sample: the questions of each.
    private func questions(
        samples: Int, every interval: Nanoseconds = second, cost: Nanoseconds
    ) -> (counts: [Int], percent: Double?) {
        var effort = QuestionEffort()
        var counts: [Int] = []
        for round in 0..<samples {
            let now = Nanoseconds(round + 1) * interval
            effort.measure(at: now)
            let count = effort.allowance(at: now)
            counts.append(count)
            effort.asked(at: now)
            for answer in 1...count {
                effort.answered(
                    1, waiting: count - answer, at: now + Nanoseconds(answer) * cost)
            }
        }
        return (counts, effort.percent)
    }

    @Test func quickAnswersAllowMoreQuestions() throws {
        let (counts, percent) = questions(samples: 30, cost: millisecond / 10)
        #expect(counts[0] == QuestionEffort.fewest && counts[29] == QuestionEffort.most)
        #expect(try #require(percent) < 1)
    }

    /// Never more than the share of the time; the first ten seconds are no window yet.
    @Test(arguments: [1, 2, 5] as [Nanoseconds])
    func ordinaryAnswersFillTheShare(cost: Nanoseconds) throws {
        let (counts, percent) = questions(samples: 40, cost: cost * millisecond)
        #expect(try #require(percent) <= 2 && percent ?? 0 > 1)
        let whole = Double(counts.reduce(0, +)) * Double(cost) / 1000
        #expect(whole < 40 * 0.02)
    }

    /// Whoever samples ten times a second may not ask ten times as much.
    @Test func quickSamplesAskNoMore() throws {
        let (counts, percent) = questions(
            samples: 400, every: second / 10, cost: millisecond / 2)
        #expect(try #require(percent) <= 2)
        #expect(Double(counts.reduce(0, +)) * 0.0005 < 40 * 0.02)
    }

    @Test func slowAnswersLeaveTheLeast() {
        let (counts, _) = questions(samples: 20, cost: 100 * millisecond)
        #expect(counts.allSatisfy { $0 == QuestionEffort.fewest })
    }

    /// A VM that hangs for a minute was not kept busy by us for that minute.
    @Test func aHangIsNotOurDoing() {
        var effort = QuestionEffort()
        effort.asked(at: second)
        effort.gaveUp()
        effort.answered(1, waiting: 0, at: 61 * second)
        effort.measure(at: 61 * second)
        #expect(effort.percent == 0)
        effort.asked(at: 62 * second)
        effort.answered(1, waiting: 0, at: 90 * second)
        effort.measure(at: 90 * second)
        #expect(effort.percent == 3.4)
    }

    /// Answers that nobody saw coming count as those before took, and not until they were read.
    @Test func unseenAnswersCountAsOthersDid() {
        var effort = QuestionEffort()
        for count in 0..<200 as Range<Nanoseconds> {
            effort.asked(at: second + count * 10 * millisecond)
            effort.answered(1, waiting: 0, at: second + (count * 10 + 2) * millisecond)
        }
        effort.measure(at: 11 * second)
        #expect(effort.percent == 4)
        effort.asked(at: 12 * second)
        effort.answeredUnseen(60, waiting: 40)
        effort.answeredUnseen(40, waiting: 0)
        effort.answeredUnseen(100, waiting: 0)
        effort.measure(at: 21 * second)
        #expect(effort.percent == 2)
    }

    @Test func questionsAtTheSameTimeCountOnce() {
        var effort = QuestionEffort()
        for count in 0..<10 as Range<Nanoseconds> {
            effort.asked(at: second + count * millisecond)
        }
        effort.answered(4, waiting: 6, at: second + 100 * millisecond)
        effort.answered(6, waiting: 0, at: second + 200 * millisecond)
        effort.measure(at: 11 * second)
        #expect(effort.percent == 2)
        effort.measure(at: 12 * second)
        #expect(effort.percent == 2)
    }
}
