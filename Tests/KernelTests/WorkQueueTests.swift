import Kernel
import Testing

@Suite struct WorkQueueTests {
    @Test func givesBackInOrderAndRefusesWhatFindsNoRoom() throws {
        let queue = try WorkQueue<Int>(capacity: 10)
        #expect(queue.put(1, cost: 6))
        #expect(!queue.put(2, cost: 6))
        #expect(queue.put(3, cost: 4))
        #expect(queue.put(4))
        #expect(queue.takeAll() == [1, 3, 4])
        #expect(queue.takeAll(timeout: 0).isEmpty)
    }

    @Test func anEmptyQueueTakesWhatIsLargerThanItsRoom() throws {
        let queue = try WorkQueue<Int>(capacity: 10)
        #expect(queue.put(1, cost: 100))
        #expect(!queue.put(2, cost: 1))
        #expect(queue.takeAll() == [1])
        #expect(queue.put(2, cost: 10))
    }

    @Test func whoeverWaitsIsWoken() throws {
        let queue = try WorkQueue<Int>(capacity: 1000)
        let thread = try PThread(name: "putter") { for number in 0..<500 { queue.put(number) } }
        var taken: [Int] = []
        while taken.count < 500 { taken += queue.takeAll() }
        thread.join()
        #expect(taken == Array(0..<500))
    }
}
