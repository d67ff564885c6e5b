"""Plays the barriers of attention_forward_sm100.cu, which no GPU here can run: its five roles as coroutines over mbarriers
with parities, copies that arrive in any order, products and commits that are done late and in order. Random tiles, masks and
speeds; every read asserts that it finds what it expects, every write that nobody still needs what it overwrites.

    python3 attention_sm100_protocol.py [RUNS]

It knows nothing of numbers, descriptors or instructions: it says that the roles neither wait for each other for ever nor
get in each other's way.
"""

import random
import sys

TILE_SLOTS = 4


class Barrier:
    def __init__(self, arrivals=1):
        self.arrivals = self.missing = arrivals
        self.copies = 0  # expected and not yet there
        self.phase = 0

    def arrive(self):
        self.missing -= 1
        assert self.missing >= 0, "one arrival too many"
        self.flip()

    def arrive_expecting(self):
        self.copies += 1
        self.arrive()

    def copied(self):
        self.copies -= 1
        self.flip()

    def flip(self):
        if self.missing == 0 and self.copies == 0:
            self.phase += 1
            self.missing = self.arrivals

    def done(self, parity):
        return self.phase % 2 != parity


class Ring:
    def __init__(self, slots):
        self.slots, self.slot, self.turn = slots, 0, 0

    def advance(self):
        self.slot += 1
        if self.slot == self.slots:
            self.slot, self.turn = 0, self.turn ^ 1


def have(blocks, block):
    return blocks[1] <= block <= blocks[0]


class Block:
    """A block of the grid. The barriers of a group count one arrival for its 128 threads."""

    def __init__(self, seed, query_slots, key_slots):
        self.random = random.Random(seed)
        make = lambda count, arrivals=1: [Barrier(arrivals) for _ in range(count)]
        self.tile_full, self.tile_empty = make(TILE_SLOTS), make(TILE_SLOTS, 4)  # two softmax, correction, products
        self.query_full, self.query_empty = make(query_slots), make(query_slots)
        self.key_full, self.key_empty = make(key_slots), make(key_slots)
        self.scores_full, self.weights_full, self.factors_full = make(2), make(2), make(2)
        self.outputs_ready, self.outputs_done, self.sums_full = make(2), make(2), make(4)
        self.drained = Barrier()
        self.query_slots, self.key_slots = query_slots, key_slots
        self.tiles = [self.tile() for _ in range(self.random.randint(0, 9))]
        self.records = [None] * TILE_SLOTS
        self.queries, self.keys = [None] * query_slots, [None] * key_slots
        self.scores, self.outputs = [None] * 2, [None] * 2
        self.factors, self.sums = [None] * 2, [None] * 4
        self.copies, self.products = [], []
        self.stored = set()

    def tile(self):
        """Last and first block, and those of the two groups; None: no key is seen."""
        if self.random.random() < 0.15:
            return None
        last = self.random.randint(0, 6)
        first = self.random.randint(0, last)
        groups = []
        for _ in range(2):
            low, high = sorted((self.random.randint(first, last), self.random.randint(first, last)))
            groups.append((-2, first) if self.random.random() < 0.15 else (high, low))
        return last, first, groups

    def wait(self, barrier, parity):
        while not barrier.done(parity):
            yield

    def pause(self):
        if self.random.random() < 0.5:
            yield

    def copy(self, memory, slot, what, full):
        def land():
            memory[slot] = what
            full.copied()

        memory[slot] = None
        full.arrive_expecting()
        self.copies.append(land)

    def loader(self):
        tiles, queries, keys = Ring(TILE_SLOTS), Ring(self.query_slots), Ring(self.key_slots)
        for number, tile in enumerate(self.tiles + ["end"]):
            yield from self.wait(self.tile_empty[tiles.slot], tiles.turn ^ 1)
            self.records[tiles.slot] = number, tile
            self.tile_full[tiles.slot].arrive()
            tiles.advance()
            if tile is None or tile == "end":
                continue
            last, first, _ = tile
            yield from self.wait(self.query_empty[queries.slot], queries.turn ^ 1)
            self.copy(self.queries, queries.slot, number, self.query_full[queries.slot])
            queries.advance()
            order = [("K", last)]
            for block in range(last, first, -1):
                order += [("K", block - 1), ("V", block)]
            for what, block in order + [("V", first)]:
                yield from self.wait(self.key_empty[keys.slot], keys.turn ^ 1)
                self.copy(self.keys, keys.slot, (number, what, block), self.key_full[keys.slot])
                keys.advance()
                yield from self.pause()

    def begin_scores(self, number, group, block, key_slot, query_slot):
        def product():
            assert self.queries[query_slot] == number
            assert self.keys[key_slot] == (number, "K", block)
            self.scores[group] = "S", number, block

        self.products += [product, self.scores_full[group].arrive]

    def begin_outputs(self, number, group, block, value_slot, accumulate):
        def product():
            assert self.keys[value_slot] == (number, "V", block)
            assert self.scores[group] == ("P", number, block)
            before = self.outputs[group] if accumulate else (number,)
            assert before[0] == number
            self.outputs[group] = before + (block,)

        self.products.append(product)

    def multiplier(self):
        tiles, queries, keys = Ring(TILE_SLOTS), Ring(self.query_slots), Ring(self.key_slots)
        steps = [0, 0]
        while True:
            yield from self.wait(self.tile_full[tiles.slot], tiles.turn)
            number, tile = self.records[tiles.slot]
            if tile == "end":
                break
            self.tile_empty[tiles.slot].arrive()
            tiles.advance()
            if tile is None:
                continue
            last, first, groups = tile
            yield from self.wait(self.query_full[queries.slot], queries.turn)
            yield from self.wait(self.key_full[keys.slot], keys.turn)
            for group in range(2):
                if have(groups[group], last):
                    self.begin_scores(number, group, last, keys.slot, queries.slot)
            self.products.append(self.key_empty[keys.slot].arrive)
            keys.advance()
            for block in range(last, first - 1, -1):
                more = block > first
                key_slot = keys.slot
                if more:
                    yield from self.wait(self.key_full[key_slot], keys.turn)
                    keys.advance()
                yield from self.wait(self.key_full[keys.slot], keys.turn)
                for group in range(2):
                    if have(groups[group], block):
                        yield from self.wait(self.weights_full[group], steps[group] % 2)
                        yield from self.wait(self.outputs_ready[group], steps[group] % 2)
                        steps[group] += 1
                        self.begin_outputs(number, group, block, keys.slot, block != groups[group][0])
                        if block == groups[group][1]:
                            self.products.append(self.outputs_done[group].arrive)
                    if more and have(groups[group], block - 1):
                        self.begin_scores(number, group, block - 1, key_slot, queries.slot)
                    yield from self.pause()
                if more:
                    self.products.append(self.key_empty[key_slot].arrive)
                self.products.append(self.key_empty[keys.slot].arrive)
                keys.advance()
            self.products.append(self.query_empty[queries.slot].arrive)
            queries.advance()
        self.products.append(self.drained.arrive)
        yield from self.wait(self.drained, 0)

    def softmax(self, group):
        tiles, steps, turn = Ring(TILE_SLOTS), 0, 0
        while True:
            yield from self.wait(self.tile_full[tiles.slot], tiles.turn)
            number, tile = self.records[tiles.slot]
            if tile == "end":
                return
            self.tile_empty[tiles.slot].arrive()
            tiles.advance()
            high, low = tile[2][group] if tile else (-2, 0)
            if high < low:
                continue
            for block in range(high, low - 1, -1):
                yield from self.wait(self.scores_full[group], steps % 2)
                steps += 1
                assert self.scores[group] == ("S", number, block)
                yield from self.pause()
                if block != high:
                    assert self.factors[group] is None, "a factor that nobody has read"
                    self.factors[group] = number, block
                    self.factors_full[group].arrive()
                    yield from self.pause()
                assert self.scores[group] == ("S", number, block)
                self.scores[group] = "P", number, block
                self.weights_full[group].arrive()
                yield from self.pause()
            place = 2 * group + turn % 2
            assert self.sums[place] is None, "sums that nobody has read"
            self.sums[place] = number
            self.sums_full[place].arrive()
            turn += 1

    def corrector(self):
        tiles, corrections, turns = Ring(TILE_SLOTS), [0, 0], [0, 0]
        for group in range(2):
            self.outputs_ready[group].arrive()
        while True:
            yield from self.wait(self.tile_full[tiles.slot], tiles.turn)
            number, tile = self.records[tiles.slot]
            if tile == "end":
                return
            last, first, groups = tile or (-1, 0, [(-2, 0)] * 2)
            for block in range(last, first - 1, -1):
                for group in range(2):
                    high = groups[group][0]
                    if not have(groups[group], block) or block == high:
                        continue
                    yield from self.wait(self.factors_full[group], corrections[group] % 2)
                    corrections[group] += 1
                    assert self.factors[group] == (number, block)
                    self.factors[group] = None
                    yield from self.unchanged(group, (number, *range(high, block, -1)))
                    self.outputs_ready[group].arrive()
            for group in range(2):
                high, low = groups[group]
                if high < low:
                    continue
                turn = turns[group]
                turns[group] += 1
                place = 2 * group + turn % 2
                yield from self.wait(self.sums_full[place], turn // 2 % 2)
                assert self.sums[place] == number
                self.sums[place] = None
                yield from self.wait(self.outputs_done[group], turn % 2)
                yield from self.unchanged(group, (number, *range(high, low - 1, -1)))
                self.stored.add((number, group))
                self.outputs_ready[group].arrive()
            self.tile_empty[tiles.slot].arrive()
            tiles.advance()

    def unchanged(self, group, expected):
        """Reads outputs, and again a while later."""
        assert self.outputs[group] == expected
        yield from self.pause()
        assert self.outputs[group] == expected

    def run(self):
        roles = [self.loader(), self.multiplier(), self.softmax(0), self.softmax(1), self.corrector()]
        speeds = [self.random.choice((0.05, 0.3, 1)) for _ in range(7)]
        idle = 0
        while roles:
            who = self.random.randrange(len(roles) + 2)
            idle += 1
            assert idle < 20000, f"{len(roles)} roles wait for ever"
            if who >= len(roles):
                waiting = (self.copies, self.products)[who - len(roles)]
                if waiting and self.random.random() < speeds[5 + who - len(roles)]:
                    waiting.pop(self.random.randrange(len(waiting)) if waiting is self.copies else 0)()
                    idle = 0
            elif self.random.random() < speeds[who]:
                try:
                    next(roles[who])
                except StopIteration:
                    roles.pop(who)
                    idle = 0
        expected = {(number, group) for number, tile in enumerate(self.tiles) if tile for group in range(2)
                    if tile[2][group][0] >= tile[2][group][1]}
        assert self.stored == expected


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    for seed in range(runs):
        Block(seed, 1, 4).run()  # head size 128
        Block(seed, 2, 8).run()  # head size 64
    print(f"{2 * runs} runs: nobody waited for ever, nothing was overwritten too early")


if __name__ == "__main__":
    main()
