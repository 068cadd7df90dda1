extension Rule {
    static let cacheRules: [Rule] = []
}
