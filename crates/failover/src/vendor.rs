//! Who was called, from the many names that programs use for the same provider.
//!
//! A provider name is a label of the caller's configuration (`openai-codex`, `google-vertex`, `zai-via-router`), so a
//! known name anywhere among its words counts, leftmost first; whoever wraps a provider puts it second. The option not
//! taken is guessing the vendor from an error's wording: many providers speak OpenAI's dialect, and the same code means
//! billing at one and a throttle at another.

/// A provider with a table of its own. [`Vendor::Generic`] reads only what everybody shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Vendor {
    Generic,
    OpenAi,
    Codex,
    Azure,
    Anthropic,
    Google,
    Bedrock,
    OpenRouter,
    ZenMux,
    Mistral,
    Groq,
    Xai,
    DeepSeek,
    Moonshot,
    Zhipu,
    DashScope,
    Baidu,
    MiniMax,
    Volcengine,
    Tencent,
    Together,
    Cerebras,
    Copilot,
    Local,
    IFlow,
    Fireworks,
    Cloudflare,
    OpenCode,
    SiliconFlow,
    IFlytek,
    Gateway,
}

/// Names, whole or as one word of a longer name. Longer ones first where one contains another.
const NAMES: &[(&str, Vendor)] = &[
    ("openai-codex", Vendor::Codex),
    ("openai", Vendor::OpenAi),
    ("chatgpt", Vendor::Codex),
    ("codex", Vendor::Codex),
    ("azure", Vendor::Azure),
    ("foundry", Vendor::Azure),
    ("anthropic", Vendor::Anthropic),
    ("claude", Vendor::Anthropic),
    ("google", Vendor::Google),
    ("gemini", Vendor::Google),
    ("vertex", Vendor::Google),
    ("vertexai", Vendor::Google),
    ("cloudcode", Vendor::Google),
    ("antigravity", Vendor::Google),
    ("bedrock", Vendor::Bedrock),
    ("aws", Vendor::Bedrock),
    ("amazon", Vendor::Bedrock),
    ("openrouter", Vendor::OpenRouter),
    ("zenmux", Vendor::ZenMux),
    ("mistral", Vendor::Mistral),
    ("mistralai", Vendor::Mistral),
    ("codestral", Vendor::Mistral),
    ("groq", Vendor::Groq),
    ("xai", Vendor::Xai),
    ("grok", Vendor::Xai),
    ("deepseek", Vendor::DeepSeek),
    ("moonshot", Vendor::Moonshot),
    ("moonshotai", Vendor::Moonshot),
    ("kimi", Vendor::Moonshot),
    ("zhipu", Vendor::Zhipu),
    ("zhipuai", Vendor::Zhipu),
    ("bigmodel", Vendor::Zhipu),
    ("zai", Vendor::Zhipu),
    ("glm", Vendor::Zhipu),
    ("dashscope", Vendor::DashScope),
    ("bailian", Vendor::DashScope),
    ("alibaba", Vendor::DashScope),
    ("aliyun", Vendor::DashScope),
    ("qwen", Vendor::DashScope),
    ("baidu", Vendor::Baidu),
    ("qianfan", Vendor::Baidu),
    ("ernie", Vendor::Baidu),
    ("wenxin", Vendor::Baidu),
    ("minimax", Vendor::MiniMax),
    ("minimaxi", Vendor::MiniMax),
    ("volcengine", Vendor::Volcengine),
    ("volces", Vendor::Volcengine),
    ("ark", Vendor::Volcengine),
    ("doubao", Vendor::Volcengine),
    ("byteplus", Vendor::Volcengine),
    ("tencent", Vendor::Tencent),
    ("hunyuan", Vendor::Tencent),
    ("together", Vendor::Together),
    ("togetherai", Vendor::Together),
    ("cerebras", Vendor::Cerebras),
    ("copilot", Vendor::Copilot),
    ("ollama", Vendor::Local),
    ("llamacpp", Vendor::Local),
    ("llama", Vendor::Local),
    ("lmstudio", Vendor::Local),
    ("vllm", Vendor::Local),
    ("sglang", Vendor::Local),
    ("iflow", Vendor::IFlow),
    ("fireworks", Vendor::Fireworks),
    ("cloudflare", Vendor::Cloudflare),
    ("workersai", Vendor::Cloudflare),
    ("opencode", Vendor::OpenCode),
    ("siliconflow", Vendor::SiliconFlow),
    ("siliconcloud", Vendor::SiliconFlow),
    ("iflytek", Vendor::IFlytek),
    ("xfyun", Vendor::IFlytek),
    ("xinghuo", Vendor::IFlytek),
    ("tgi", Vendor::Local),
    ("litellm", Vendor::Gateway),
    ("gateway", Vendor::Gateway),
    ("oneapi", Vendor::Gateway),
    ("newapi", Vendor::Gateway),
    ("portkey", Vendor::Gateway),
    ("vercel", Vendor::Gateway),
];

impl Vendor {
    /// The vendor of a provider name.
    pub(crate) fn of(provider: Option<&str>) -> Self {
        let Some(name) = provider else { return Self::Generic };
        // The whole name first: it is what most callers pass.
        if let Some(vendor) = exact(name.as_bytes()) {
            return vendor;
        }
        name.as_bytes()
            .split(|byte| !byte.is_ascii_alphanumeric())
            .find_map(exact)
            .or_else(|| squashed(name.as_bytes()))
            .unwrap_or(Self::Generic)
    }
}

/// Slots of the table of names: a power of two, four times as many as there are names.
const SLOTS: usize = 256;
/// Name number + 1 by hash; zero is empty.
static SLOT: [u8; SLOTS] = {
    let mut slots = [0_u8; SLOTS];
    let mut name = 0;
    while name < NAMES.len() {
        let mut slot = home(NAMES[name].0.as_bytes());
        while slots[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = name as u8 + 1;
        name += 1;
    }
    slots
};

/// Where the search for a name begins. Blind to ASCII case.
const fn home(name: &[u8]) -> usize {
    // The first eight bytes and the length tell the names apart well enough; a longer name costs no more.
    let head = match name.first_chunk::<8>() {
        Some(head) => u64::from_le_bytes(*head),
        None => {
            let (mut head, mut at) = (0, 0);
            while at < name.len() {
                head |= (name[at] as u64) << (8 * at);
                at += 1;
            }
            head
        }
    };
    let mixed = (head | 0x2020_2020_2020_2020) ^ name.len() as u64;
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize % SLOTS
}

fn exact(name: &[u8]) -> Option<Vendor> {
    let mut slot = home(name);
    loop {
        let (known, vendor) = NAMES.get(usize::from(SLOT[slot]).checked_sub(1)?)?;
        if known.as_bytes() == name || known.as_bytes().eq_ignore_ascii_case(name) {
            return Some(*vendor);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// A name written in other pieces (`x.ai`, `lm-studio`, `z.ai`).
fn squashed(name: &[u8]) -> Option<Vendor> {
    let mut buffer = [0_u8; 24];
    let mut len = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *buffer.get_mut(len)? = *byte;
        len += 1;
    }
    exact(&buffer[..len])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_find_their_vendor() {
        for (name, vendor) in [
            ("openai", Vendor::OpenAi),
            ("OpenAI", Vendor::OpenAi),
            ("openai-codex", Vendor::Codex),
            ("azure-openai", Vendor::Azure),
            ("google-vertex", Vendor::Google),
            ("google-antigravity", Vendor::Google),
            ("anthropic-cli", Vendor::Anthropic),
            ("amazon-bedrock", Vendor::Bedrock),
            ("x.ai", Vendor::Xai),
            ("xai-grpc", Vendor::Xai),
            ("z.ai", Vendor::Zhipu),
            ("zai-via-router", Vendor::Zhipu),
            ("LM Studio", Vendor::Local),
            ("llama.cpp", Vendor::Local),
            ("github-copilot", Vendor::Copilot),
            ("kimi-code", Vendor::Moonshot),
            ("somebody-new", Vendor::Generic),
        ] {
            assert_eq!(Vendor::of(Some(name)), vendor, "{name}");
        }
        assert_eq!(Vendor::of(None), Vendor::Generic);
    }
}
