// Products of batches of float32 matrices, of any strides: C[g] = A[g] B[g], or that plus D[g].
//
// A block of C stays in registers while the loop runs along the sum, in steps of which each reads a row of B's panel and
// broadcasts an entry of each row of A (Goto & van de Geijn 2008). Every entry is summed in one order, whatever the
// number of threads.

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16, REGISTERS = 32;
#elif defined(__AVX__)
constexpr int LANES = 8, REGISTERS = 16;
#else
constexpr int LANES = 4, REGISTERS = 32;
#endif

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef float Anywhere __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t Places __attribute__((vector_size(4 * LANES)));

constexpr int WIDEST = REGISTERS == 32 ? 4 : 2;  // vectors of a panel's row
constexpr int64_t DEEP = 128;                    // rows of a panel: with 64 columns it takes 32 KiB
constexpr int64_t NEAR = 48 << 10;               // entries of A that stay in the second cache from panel to panel

// Rows of a block: its sums, a row of the panel and one entry of A fill the registers.
constexpr int tallest(int wide) { return std::min((REGISTERS - wide - 2) / wide, 12); }

struct Matrix {
    const float* at;
    int64_t row, column;  // strides
};

template <int rows, int wide>
inline void block(int64_t deep, Matrix a, const float* panel, float* to, int64_t to_row, const float* from,
                  int64_t from_row) {
    Vector sums[rows][wide];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < wide; j++)
            sums[i][j] = from ? *reinterpret_cast<const Anywhere*>(from + i * from_row + j * LANES) : Vector{};
    for (int64_t k = 0; k < deep; k++) {
        Vector b[wide];
        for (int j = 0; j < wide; j++) b[j] = *reinterpret_cast<const Vector*>(panel + (k * wide + j) * LANES);
        for (int i = 0; i < rows; i++) {
            const float x = a.at[i * a.row + k * a.column];
            for (int j = 0; j < wide; j++) sums[i][j] += x * b[j];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < wide; j++) *reinterpret_cast<Anywhere*>(to + i * to_row + j * LANES) = sums[i][j];
}

template <int wide, int rows = tallest(wide)>
inline void blocks(int64_t left, int64_t deep, Matrix a, const float* panel, float* to, int64_t to_row,
                   const float* from, int64_t from_row) {
    if (left >= rows)
        block<rows, wide>(deep, a, panel, to, to_row, from, from_row);
    else if constexpr (rows > 1)
        blocks<wide, rows - 1>(left, deep, a, panel, to, to_row, from, from_row);
}

// Turns a square of vectors about its diagonal by exchanging halves, quarters and so on.
template <int step = LANES / 2>
inline void turn(Vector* square) {
    Places low, high;
    for (int i = 0; i < LANES; i++) {
        low[i] = i & step ? i - step + LANES : i;
        high[i] = i & step ? i + LANES : i + step;
    }
    for (int i = 0; i < LANES; i++)
        if (!(i & step)) {
            const Vector first = square[i], second = square[i + step];
            square[i] = __builtin_shuffle(first, second, low);
            square[i + step] = __builtin_shuffle(first, second, high);
        }
    if constexpr (step > 1) turn<step / 2>(square);
}

// Copies B's rows, each filled up with zeros to whole vectors.
template <int across>
void pack(float* panel, int64_t deep, int64_t columns, Matrix b) {
    if (columns < across) std::memset(panel, 0, 4 * deep * across);
    if (b.column == 1) {
        for (int64_t k = 0; k < deep; k++) std::memcpy(panel + k * across, b.at + k * b.row, 4 * columns);
        return;
    }
    const int64_t squares = b.row == 1 ? deep / LANES * LANES : 0, whole = columns / LANES * LANES;
    for (int64_t k = 0; k < squares; k += LANES)
        for (int64_t n = 0; n < whole; n += LANES) {
            Vector square[LANES];
            for (int i = 0; i < LANES; i++)
                square[i] = *reinterpret_cast<const Anywhere*>(b.at + k + (n + i) * b.column);
            turn(square);
            for (int i = 0; i < LANES; i++)
                *reinterpret_cast<Vector*>(panel + (k + i) * across + n) = square[i];
        }
    for (int64_t k = 0; k < deep; k++)
        for (int64_t n = k < squares ? whole : 0; n < columns; n++)
            panel[k * across + n] = b.at[k * b.row + n * b.column];
}

// So many columns of C, at most `wide` vectors of them.
template <int wide>
void strip(int64_t rows, int64_t columns, int64_t deep, Matrix a, Matrix b, float* to, const float* from,
           int64_t row) {
    constexpr int across = wide * LANES, tall = tallest(wide);
    alignas(64) float panel[DEEP * across];
    alignas(64) float edge[tall * across];
    for (int64_t k = 0; k < deep; k += DEEP) {
        const int64_t here = std::min(DEEP, deep - k);
        pack<across>(panel, here, columns, {b.at + k * b.row, b.row, b.column});
        const float* before = k ? to : from;
        for (int64_t m = 0; m < rows; m += tall) {
            const int64_t left = std::min<int64_t>(tall, rows - m);
            const Matrix some{a.at + m * a.row + k * a.column, a.row, a.column};
            if (columns == across) {
                blocks<wide>(left, here, some, panel, to + m * row, row, before ? before + m * row : nullptr, row);
                continue;
            }
            if (before)
                for (int64_t i = 0; i < left; i++) std::memcpy(edge + i * across, before + (m + i) * row, 4 * columns);
            blocks<wide>(left, here, some, panel, edge, across, before ? edge : nullptr, across);
            for (int64_t i = 0; i < left; i++) std::memcpy(to + (m + i) * row, edge + i * across, 4 * columns);
        }
    }
}

}  // namespace

// C [count, rows, columns] and D, which may be null, lie without gaps; `next` is the stride between matrices.
extern "C" void product(float* to, const float* from, const float* a, const float* b, int64_t count, int64_t rows,
                        int64_t columns, int64_t deep, int64_t a_next, int64_t a_row, int64_t a_column, int64_t b_next,
                        int64_t b_row, int64_t b_column) {
    constexpr int64_t together = 24;  // a multiple of most blocks' rows
    const int64_t most = std::max<int64_t>(NEAR / deep, 4 * together), pieces = (rows + most - 1) / most;
    const int64_t piece = (rows + pieces * together - 1) / (pieces * together) * together;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < count * pieces; task++) {
        const int64_t g = task / pieces, m = task % pieces * piece, here = std::min(piece, rows - m);
        const Matrix left{a + g * a_next + m * a_row, a_row, a_column};
        for (int64_t n = 0; n < columns; n += WIDEST * LANES) {
            const int64_t across = std::min<int64_t>(WIDEST * LANES, columns - n), at = (g * rows + m) * columns + n;
            const Matrix right{b + g * b_next + n * b_column, b_row, b_column};
            const auto write = across <= LANES                            ? strip<1>
                               : across <= 2 * LANES                      ? strip<2>
                               : across <= std::min(3, WIDEST) * LANES ? strip<std::min(3, WIDEST)>
                                                                          : strip<WIDEST>;
            if (here > 0) write(here, across, deep, left, right, to + at, from ? from + at : nullptr, columns);
        }
    }
}
