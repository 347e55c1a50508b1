// Sums of products of batches of float32 matrices, of any strides: C[g] = A[g] B[g] + A'[g] B'[g] + ...
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
constexpr int64_t ENOUGH = 64;                   // tasks for the threads to share

// Rows of a block: its sums, a row of the panel and one entry of A fill the registers.
constexpr int tallest(int wide) { return std::min((REGISTERS - wide - 2) / wide, 12); }

struct Matrix {
    const float* at;
    int64_t row, column;  // strides
};

template <int rows, int wide>
inline void block(int64_t deep, Matrix a, const float* panel, float* to, int64_t row, bool more) {
    Vector sums[rows][wide];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < wide; j++)
            sums[i][j] = more ? *reinterpret_cast<const Anywhere*>(to + i * row + j * LANES) : Vector{};
    for (int64_t k = 0; k < deep; k++) {
        Vector b[wide];
        for (int j = 0; j < wide; j++) b[j] = *reinterpret_cast<const Vector*>(panel + (k * wide + j) * LANES);
        for (int i = 0; i < rows; i++) {
            const float x = a.at[i * a.row + k * a.column];
            for (int j = 0; j < wide; j++) sums[i][j] += x * b[j];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < wide; j++) *reinterpret_cast<Anywhere*>(to + i * row + j * LANES) = sums[i][j];
}

template <int wide, int rows = tallest(wide)>
inline void blocks(int64_t left, int64_t deep, Matrix a, const float* panel, float* to, int64_t row, bool more) {
    if (left >= rows)
        block<rows, wide>(deep, a, panel, to, row, more);
    else if constexpr (rows > 1)
        blocks<wide, rows - 1>(left, deep, a, panel, to, row, more);
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
void strip(int64_t rows, int64_t columns, int64_t deep, Matrix a, Matrix b, float* to, int64_t row, bool more) {
    constexpr int across = wide * LANES, tall = tallest(wide);
    alignas(64) float panel[DEEP * across];
    alignas(64) float edge[tall * across];
    for (int64_t k = 0; k < deep; k += DEEP) {
        const int64_t here = std::min(DEEP, deep - k);
        pack<across>(panel, here, columns, {b.at + k * b.row, b.row, b.column});
        const bool on = more || k;
        for (int64_t m = 0; m < rows; m += tall) {
            const int64_t left = std::min<int64_t>(tall, rows - m);
            const Matrix some{a.at + m * a.row + k * a.column, a.row, a.column};
            if (columns == across) {
                blocks<wide>(left, here, some, panel, to + m * row, row, on);
                continue;
            }
            if (on)
                for (int64_t i = 0; i < left; i++) std::memcpy(edge + i * across, to + (m + i) * row, 4 * columns);
            blocks<wide>(left, here, some, panel, edge, across, on);
            for (int64_t i = 0; i < left; i++) std::memcpy(to + (m + i) * row, edge + i * across, 4 * columns);
        }
    }
}

struct Term {
    const float *a, *b;
    int64_t deep, a_next, a_row, a_column, b_next, b_row, b_column;  // strides from matrix to matrix, row to row, ...
};

}  // namespace

// C [count, rows, columns] = A B, plus A' B' and so on, while a piece of C is still near; C lies without gaps.
extern "C" void product(float* to, int64_t count, int64_t rows, int64_t columns, int64_t terms, const Term* term) {
    constexpr int64_t together = 24;  // rows, a multiple of most blocks'
    const int64_t most = std::max<int64_t>(NEAR / term->deep, 4 * together), pieces = (rows + most - 1) / most;
    const int64_t piece = (rows + pieces * together - 1) / (pieces * together) * together;
    const int64_t strips = (columns + WIDEST * LANES - 1) / (WIDEST * LANES);
    const int64_t shares = std::min(strips, (ENOUGH - 1) / (count * pieces) + 1), share = (strips + shares - 1) / shares;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < count * pieces * shares; task++) {
        const int64_t first = task % shares * share, g = task / shares / pieces, m = task / shares % pieces * piece;
        const int64_t here = std::min(piece, rows - m), last = std::min(first + share, strips);
        if (here <= 0) continue;
        for (int64_t n = first * WIDEST * LANES; n < std::min(columns, last * WIDEST * LANES); n += WIDEST * LANES) {
            const int64_t across = std::min<int64_t>(WIDEST * LANES, columns - n);
            const auto write = across <= LANES                           ? strip<1>
                               : across <= 2 * LANES                     ? strip<2>
                               : across <= std::min(3, WIDEST) * LANES ? strip<std::min(3, WIDEST)>
                                                                         : strip<WIDEST>;
            for (int64_t t = 0; t < terms; t++) {
                const Term& is = term[t];
                const Matrix a{is.a + g * is.a_next + m * is.a_row, is.a_row, is.a_column};
                const Matrix b{is.b + g * is.b_next + n * is.b_column, is.b_row, is.b_column};
                write(here, across, is.deep, a, b, to + (g * rows + m) * columns + n, columns, t > 0);
            }
        }
    }
}
