// Solve Sudokus with ONNX Runtime's C++ API: docs/contract.md as a program.
//
//   solve_sudoku STEP_ONNX PUZZLE_EMBEDDINGS_NPY MAX_STEPS RULE < puzzles.txt
//
// A puzzle is a line of 81 characters, '.' for a blank. RULE is q_halt if the manifest's
// model.no_ACT_continue is true, else q_continue. Pass - if the bundle has no puzzle embeddings.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using Shape = std::vector<int64_t>;

// One slot: the batch is the only dynamic axis.
Shape one_slot(const Ort::TypeInfo& type) {
  Shape shape = type.GetTensorTypeAndShapeInfo().GetShape();
  shape[0] = 1;
  return shape;
}

// Row 0 of a (N, E) float32 array: tasks without puzzle identifiers use no other.
std::vector<float> first_row(const std::string& path, int64_t width) {
  std::ifstream file(path, std::ios::binary);
  std::array<unsigned char, 10> preamble{};  // magic, version, length of the header
  file.read(reinterpret_cast<char*>(preamble.data()), preamble.size());
  const int header = preamble[8] + 256 * preamble[9];
  file.seekg(header, std::ios::cur);
  std::vector<float> row(width);
  file.read(reinterpret_cast<char*>(row.data()), width * static_cast<int64_t>(sizeof(float)));
  if (!file) throw std::runtime_error(path + " cannot be read as a .npy file of version 1");
  return row;
}

class Driver {
 public:
  Driver(const char* graph, const std::string& embeddings, int max_steps, bool compares_continue)
      : session_(env_, graph, Ort::SessionOptions{}),
        max_steps_(max_steps),
        compares_continue_(compares_continue) {
    for (size_t index = 0; index < session_.GetInputCount(); ++index) {
      const std::string name = session_.GetInputNameAllocated(index, allocator_).get();
      const Ort::TypeInfo type = session_.GetInputTypeInfo(index);
      const Shape shape = one_slot(type);
      const auto element = type.GetTensorTypeAndShapeInfo().GetElementType();
      if (name == "tokens" || name == "reset") {
        add_input(name, shape, element);
      } else if (name == "puzzle_embedding") {
        Ort::Value& tensor = add_input(name, shape, element);
        fill_embedding(tensor, element, first_row(embeddings, shape[1]));
      } else {  // a carry
        carries_.push_back(inputs_.size());
        add_input(name, shape, element);
        output_names_.push_back(name + "_next");
        outputs_.push_back(tensor_of_zeros(shape, element));
      }
    }
    const std::vector<std::string> heads{"logits", "q_halt", "q_continue"};
    for (size_t index = 0; index < session_.GetOutputCount(); ++index) {
      const std::string name = session_.GetOutputNameAllocated(index, allocator_).get();
      if (std::find(heads.begin(), heads.end(), name) == heads.end()) continue;
      output_names_.push_back(name);
      const Ort::TypeInfo type = session_.GetOutputTypeInfo(index);
      outputs_.push_back(tensor_of_zeros(one_slot(type), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT));
    }
  }

  // Returns the answer and the number of ACT steps that it took.
  std::pair<std::string, int> solve(const std::string& puzzle) {
    Ort::Value& tokens = inputs_[index_of(input_names_, "tokens")];
    const Shape shape = tokens.GetTensorTypeAndShapeInfo().GetShape();
    if (static_cast<int64_t>(puzzle.size()) != shape[1]) {
      throw std::runtime_error("expected " + std::to_string(shape[1]) + " characters, but got " +
                               std::to_string(puzzle.size()));
    }
    for (size_t cell = 0; cell < puzzle.size(); ++cell) {
      const int32_t blank = 1;
      tokens.GetTensorMutableData<int32_t>()[cell] =
          puzzle[cell] == '.' ? blank : puzzle[cell] - '0' + 1;
    }
    int step = 0;
    bool halted = false;
    while (!halted && step < max_steps_) {
      *inputs_[index_of(input_names_, "reset")].GetTensorMutableData<bool>() = step == 0;
      run();
      // The two sets of carries change places; an output never lies on its own input.
      for (size_t carry = 0; carry < carries_.size(); ++carry) {
        std::swap(inputs_[carries_[carry]], outputs_[carry]);
      }
      ++step;
      const float limit = compares_continue_ ? scalar("q_continue") : 0.0f;
      halted = scalar("q_halt") > limit;
    }
    return {most_likely_digits(), step};
  }

 private:
  Ort::Value& add_input(const std::string& name, const Shape& shape,
                        ONNXTensorElementDataType element) {
    input_names_.push_back(name);
    inputs_.push_back(tensor_of_zeros(shape, element));
    return inputs_.back();
  }

  Ort::Value tensor_of_zeros(const Shape& shape, ONNXTensorElementDataType element) {
    Ort::Value tensor = Ort::Value::CreateTensor(allocator_, shape.data(), shape.size(), element);
    const size_t count = tensor.GetTensorTypeAndShapeInfo().GetElementCount();
    if (element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
      std::fill_n(tensor.GetTensorMutableData<float>(), count, 0.0f);
    } else if (element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16) {
      std::fill_n(tensor.GetTensorMutableData<Ort::Float16_t>(), count, Ort::Float16_t(0.0f));
    }
    return tensor;
  }

  static void fill_embedding(Ort::Value& tensor, ONNXTensorElementDataType element,
                             const std::vector<float>& row) {
    if (element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
      std::copy(row.begin(), row.end(), tensor.GetTensorMutableData<float>());
      return;
    }
    Ort::Float16_t* values = tensor.GetTensorMutableData<Ort::Float16_t>();
    for (size_t index = 0; index < row.size(); ++index) values[index] = Ort::Float16_t(row[index]);
  }

  static size_t index_of(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  }

  float scalar(const std::string& name) {
    return *outputs_.at(index_of(output_names_, name)).GetTensorData<float>();
  }

  std::string most_likely_digits() {
    const Ort::Value& logits = outputs_.at(index_of(output_names_, "logits"));
    const Shape shape = logits.GetTensorTypeAndShapeInfo().GetShape();  // (1, L, V)
    std::string digits;
    for (int64_t cell = 0; cell < shape[1]; ++cell) {
      const float* first = logits.GetTensorData<float>() + cell * shape[2];
      const auto token = std::max_element(first, first + shape[2]) - first;
      digits += static_cast<char>('0' + token - 1);
    }
    return digits;
  }

  void run() {
    std::vector<const char*> input_names;
    for (const std::string& name : input_names_) input_names.push_back(name.c_str());
    std::vector<const char*> output_names;
    for (const std::string& name : output_names_) output_names.push_back(name.c_str());
    session_.Run(Ort::RunOptions{nullptr}, input_names.data(), inputs_.data(), inputs_.size(),
                 output_names.data(), outputs_.data(), outputs_.size());
  }

  Ort::Env env_{ORT_LOGGING_LEVEL_ERROR, "solve_sudoku"};
  Ort::Session session_;
  Ort::AllocatorWithDefaultOptions allocator_;
  const int max_steps_;
  const bool compares_continue_;
  std::vector<std::string> input_names_;
  std::vector<std::string> output_names_;  // the carries' successors, then the heads
  std::vector<Ort::Value> inputs_;
  std::vector<Ort::Value> outputs_;
  std::vector<size_t> carries_;  // indices of the carries among the inputs
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: solve_sudoku STEP_ONNX PUZZLE_EMBEDDINGS_NPY MAX_STEPS q_halt|q_continue\n";
    return 2;
  }
  try {
    Driver driver(argv[1], argv[2], std::stoi(argv[3]), argv[4] == std::string("q_continue"));
    for (std::string line; std::getline(std::cin, line);) {
      const auto [answer, steps] = driver.solve(line);
      std::cout << answer << ' ' << steps << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
