//! Servers on one's own machine: llama.cpp, Ollama, LM Studio, vLLM.
//!
//! Ollama and LM Studio send prose only; their wordings are in the text rules.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: Local "local"
    from "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md" {
        exact "exceed_context_size_error" => OVERFLOW;
        exact "unavailable_error" => OVERLOADED;
        exact "not_supported_error" => FORMAT;
        broad "not_found_error" => MODEL_NOT_FOUND;
        weak "server_error" => SERVER_ERROR;
        weak "invalid_request_error" => FORMAT;
    }
    from "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html" {
        weak "BadRequestError" => FORMAT;
        broad "NotFoundError" => MODEL_NOT_FOUND;
        weak "InternalServerError" => SERVER_ERROR;
    }
}
